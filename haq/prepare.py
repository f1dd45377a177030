"""From names and files to a network in memory and images that fit it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from haq.board import AnyBoard
from haq.data import Images, normalise
from haq.data.built_in import BUILT_IN
from haq.data.sources import parse_source
from haq.names import Padding
from haq.own_network import is_own, load_own
from haq.zoo import DataShape, NetConfig, build, load
from haq.zoo.loading import plain_config
from haq.zoo.registry import ALIASES
from haq.zoo.sources import at_hand
from quant.calibrate import Ranges, calibrate
from quant.equalize import equalize
from quant.errors import DataError
from quant.graph import Graph, Network
from quant.naive import Arithmetic, NaiveQuantizer
from quant.ncnn.build import float_layers
from quant.observers import Method
from quant.policy import Policy
from quant.trace import trace


@dataclass(frozen=True)
class Calibrated:
    """A network and the ranges of its activations."""

    network: Network
    ranges: Ranges


@dataclass(frozen=True)
class Subject:
    """A network as loaded, and as ncnn gets it: the same function, perhaps equalized.

    Divergences are from the loaded one, and the simulated arithmetic begins with it.
    """

    config: NetConfig
    loaded: Calibrated
    deployed: Calibrated

    @property
    def network(self) -> Network:
        """The network as loaded."""
        return self.loaded.network

    @property
    def ranges(self) -> Ranges:
        """The ranges of the network as loaded."""
        return self.loaded.ranges

    def of(self, arithmetic: Arithmetic) -> Calibrated:
        """What an arithmetic begins with."""
        return self.deployed if arithmetic == "ncnn" else self.loaded


def load_network(
    model: str,
    weights: Path | None,
    input_size: int | None = None,
    padding: Padding | None = None,
    data: str | None = None,
) -> tuple[NetConfig, Network]:
    """Load and trace a network of the zoo or of the user's; random weights are made for `data`.

    Raises ModelError, and InputError where code of the user's fails.
    """
    if is_own(model):
        return load_own(model, weights, input_size, padding, shape_of(data))
    module, config = load(model, weights, input_size, padding, shape_of(data))
    return config, trace(module, input_shape(config))


def load_graph(
    model: str,
    weights: Path | None,
    input_size: int | None = None,
    padding: Padding | None = None,
) -> Graph:
    """The graph alone, of the network's usual shape unless weights are named. Raises ModelError."""
    if weights is not None or is_own(model):
        return load_network(model, weights, input_size, padding)[1].graph
    config = plain_config(model, input_size, padding)
    return trace(build(config), input_shape(config)).graph


def weights_of(model: str, weights: Path | None) -> str:
    """Whose weights a network has: a file or library, its own, or those at hand by their origin."""
    if weights is not None:
        return str(weights)
    return "own" if is_own(model) else at_hand(ALIASES.get(model, model))


def shape_of(data: str | None) -> DataShape | None:
    """What is known of images before they are read: those that haq brings are all alike."""
    known = None if data is None else BUILT_IN.get(parse_source(data)[0])
    return None if known is None else DataShape(*known.shape)


def input_shape(config: NetConfig) -> tuple[int, int, int]:
    """(channels, height, width) of an image."""
    return config.channels, config.input_size, config.input_size


def make_subject(
    config: NetConfig,
    network: Network,
    calibration: Images,
    method: Method,
    equalized: bool = False,
) -> Subject:
    """Calibrate a network on unlabelled images, and equalize what ncnn gets if so wished.

    Raises DataError where the images do not fit.
    """
    check_pixels(config, calibration)
    images = to_tensor(calibration)
    loaded = Calibrated(network, calibrate(network, images, method))
    if not equalized:
        return Subject(config, loaded, loaded)
    changed = equalize(network, images)
    return Subject(config, loaded, Calibrated(changed, calibrate(changed, images, method)))


def quantizer_of(subject: Subject, arithmetic: Arithmetic) -> NaiveQuantizer:
    """The plain quantizer on the ranges of a subject."""
    found = subject.of(arithmetic)
    return NaiveQuantizer(found.network, found.ranges, arithmetic)


def upload(subject: Subject, board: AnyBoard) -> None:
    """Give the float network and its ranges to a board. Raises BoardError."""
    given = subject.deployed
    shape = input_shape(subject.config)
    board.upload(float_layers(given.network), given.ranges.engine_thresholds(), shape)


def arithmetic_of(policy: Policy) -> Arithmetic:
    """ncnn's own arithmetic where ncnn can run the policy, else the simulated one."""
    return "ncnn" if policy.is_deployable else "simulated"


def to_tensor(images: Images) -> Tensor:
    """Normalised images (N, C, H, W) float32, channels last."""
    x = torch.from_numpy(normalise(images.pixels))
    return x.contiguous(memory_format=torch.channels_last)


def check_images(config: NetConfig, images: Images) -> None:
    """Raise DataError unless labelled images fit the network."""
    check_pixels(config, images)
    check_labels(config, images)


def check_pixels(config: NetConfig, images: Images) -> None:
    """Raise DataError unless the images have the network's channels and size."""
    channels, height, width = images.pixels.shape[1:]
    if (channels, height, width) != input_shape(config):
        raise DataError(
            f"the images are {width}x{height} with {channels} channel(s), the network takes "
            f"{config.input_size}x{config.input_size} with {config.channels}"
        )


def check_labels(config: NetConfig, images: Images) -> None:
    """Raise DataError unless every label is one of the network's classes."""
    highest = int(images.labels.max())
    if highest >= config.classes:
        raise DataError(
            f"label {highest} in the data, but the network has {config.classes} classes"
        )
