"""A network of the user's: `package.module:factory`, a file of `torch.export.save`, or ONNX.

A factory is the user's code and runs as such; files are read, and nothing of them runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from haq.names import Padding
from haq.own_function import blaming, import_function, is_function_name
from haq.zoo import DataShape, NetConfig
from haq.zoo.checkpoint import give_weights, read_weights
from quant.errors import ModelError
from quant.graph import Network
from quant.trace import trace
from quant.trace.aten_reader import export, read_pt2
from quant.trace.check import check, probe
from quant.trace.onnx_reader import read_onnx

ImageShape = tuple[int, int, int]
FILES: dict[str, Callable[[Path], Network]] = {".pt2": read_pt2, ".onnx": read_onnx}
"""What reads a file, by its ending."""


def is_own(model: str) -> bool:
    """Whether a network is named as the user's, not as one of the zoo."""
    return Path(model).suffix in FILES or is_function_name(model)


def load_own(
    model: str,
    weights: Path | None,
    input_size: int | None = None,
    padding: Padding | None = None,
    images: DataShape | None = None,
) -> tuple[NetConfig, Network]:
    """The network and what is known of its images, which are square.

    `weights` are for a factory, with the key names of its module; its images are of `input_size`,
    else of its attribute `input_shape`, else as `images`. Raises InputError.
    """
    if padding is not None:
        raise ModelError(f"{model} has paddings of its own: leave out --padding")
    if is_function_name(model):
        network = from_factory(model, weights, input_size, images)
    else:
        network = from_file(model, weights)
    return config_of(model, network, input_size), network


def config_of(model: str, network: Network, input_size: int | None) -> NetConfig:
    """Raises ModelError where images are not square, or not of the wanted size."""
    channels, height, width = network.graph.input_shape
    if height != width:
        raise ModelError(f"{model} takes images of {width}x{height}: square ones are needed")
    if input_size not in (None, height):
        raise ModelError(f"{model} takes images of {width}x{height}: leave out --input")
    return NetConfig(model, height, channels, network.graph.nodes[-1].shape[0])


def from_file(model: str, weights: Path | None) -> Network:
    """A network that is a file. Raises ModelError."""
    if weights is not None:
        raise ModelError(f"{model} holds its weights: leave out --weights")
    return FILES[Path(model).suffix](Path(model))


def from_factory(
    name: str, weights: Path | None, input_size: int | None, images: DataShape | None
) -> Network:
    """The module that a function of the user's makes, traced. Raises InputError."""
    factory = import_function(name)
    with blaming(name):
        net = factory()
    if not isinstance(net, nn.Module):
        raise ModelError(f"{name} returns a {type(net).__name__}: a torch.nn.Module is needed")
    if weights is not None:
        give_weights(name, net, read_weights(weights), str(weights))
    return read_module(name, net, image_shape(name, factory, net, input_size, images))


def image_shape(
    name: str, factory: Any, net: nn.Module, input_size: int | None, images: DataShape | None
) -> ImageShape:
    """(C, H, W) of the images of a factory. Raises ModelError where nobody says it."""
    given = getattr(factory, "input_shape", None)
    if input_size is not None:
        channels = given[0] if given else first_channels(net)
        return channels, input_size, input_size
    if given:
        channels, height, width = given
        return int(channels), int(height), int(width)
    if images is not None:
        return images.channels, images.side, images.side
    raise ModelError(
        f"the images of {name} are of unknown size: say their side by --input, or write "
        "input_shape = (channels, height, width) of them as an attribute of the function"
    )


def first_channels(net: nn.Module) -> int:
    """Channels that the first convolution reads, 3 where there is none."""
    found = (m.in_channels for m in net.modules() if isinstance(m, nn.Conv2d))
    return next(found, 3)


def checked(network: Network, net: nn.Module, shape: ImageShape) -> Network:
    """A network as it was read from a module. Raises ModelError where it gives other outputs."""
    images = probe(shape)
    with torch.no_grad():
        check(network, images, net(images))
    return network


def read_module(name: str, net: nn.Module, shape: ImageShape) -> Network:
    """A module by torch.fx, else by torch.export.

    Raises ModelError with what is wrong for both of them.
    """
    try:
        return checked(trace(net, shape), net, shape)
    except ModelError as error:
        by_fx = str(error)
    try:
        return checked(export(net, shape), net, shape)
    except ModelError as error:
        by_export = str(error)
    if by_fx == by_export:
        raise ModelError(f"{name}: {by_fx}")
    raise ModelError(f"{name} cannot be read: {by_fx} (torch.fx); {by_export} (torch.export)")
