"""From names and files to a network in memory and images that fit it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from haq.board import AnyBoard
from haq.data import Images, normalise
from haq.zoo import NetConfig, load
from haq.zoo.mobilenet_v2 import Padding
from quant.calibrate import Ranges, calibrate
from quant.errors import DataError
from quant.graph import Network
from quant.naive import Arithmetic, NaiveQuantizer
from quant.ncnn.build import float_layers
from quant.observers import Method
from quant.policy import Policy
from quant.trace import trace


@dataclass(frozen=True)
class Subject:
    """A traced network and the ranges of its activations."""

    config: NetConfig
    network: Network
    ranges: Ranges


def load_network(
    model: str, weights: Path | None, input_size: int, padding: Padding
) -> tuple[NetConfig, Network]:
    """Load and trace a network. Raises ModelError."""
    module, config = load(model, weights, input_size, padding)
    return config, trace(module, (config.channels, input_size, input_size))


def make_subject(
    config: NetConfig, network: Network, calibration: Images, method: Method
) -> Subject:
    """Calibrate a network on unlabelled images. Raises DataError where these do not fit."""
    check_pixels(config, calibration)
    return Subject(config, network, calibrate(network, to_tensor(calibration), method))


def quantizer_of(subject: Subject, arithmetic: Arithmetic) -> NaiveQuantizer:
    """The plain quantizer on the ranges of a subject."""
    return NaiveQuantizer(subject.network, subject.ranges, arithmetic)


def upload(subject: Subject, board: AnyBoard) -> None:
    """Give the float network and its ranges to a board. Raises BoardError."""
    config = subject.config
    shape = config.channels, config.input_size, config.input_size
    board.upload(float_layers(subject.network), subject.ranges.engine_thresholds(), shape)


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
    expected = (config.channels, config.input_size, config.input_size)
    if (channels, height, width) != expected:
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
