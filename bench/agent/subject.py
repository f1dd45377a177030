"""The networks of these benches: the packaged MobileNetV2, and the usual one at 224 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from haq.board import Board
from haq.data import Images, load_calibration, load_images
from haq.prepare import Subject, load_network, make_subject
from haq.zoo import NetConfig, build
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Bits, Policy, uniform
from quant.trace import trace

SIDE = 32


@cache
def packaged() -> tuple[Subject, Images]:
    """The network and its validation images."""
    config, network = load_network("mbv2", None, SIDE, "torch")
    images = load_images("sample", SIDE)
    ranges_from = load_calibration("sample", None, images, SIDE)
    return make_subject(config, network, ranges_from, "auto"), images


@dataclass(frozen=True)
class FloatSubject:
    """A float network as the agent takes it; `shape` is (channels, height, width)."""

    layers: Sequence[NcnnLayer]
    shape: tuple[int, int, int]

    def upload(self, board: Board) -> None:
        """Give it to a board; float policies need no ranges."""
        board.upload(self.layers, {}, self.shape)

    def float_policy(self) -> Policy:
        """All layers at 32 bits: the network against itself."""
        return uniform([layer.name for layer in self.layers if layer.is_weighted], 32, 32)


def small() -> FloatSubject:
    """The packaged network at 32 pixels."""
    subject, _ = packaged()
    config = subject.config
    shape = (config.channels, config.input_size, config.input_size)
    return FloatSubject(float_layers(subject.network), shape)


def large() -> FloatSubject:
    """MobileNetV2 1.0 at 224 pixels, untrained: its latency is that of trained weights."""
    torch.manual_seed(0)
    config = NetConfig("mbv2", 224, 3, 1000)
    shape = (3, 224, 224)
    return FloatSubject(float_layers(trace(build(config).eval(), shape)), shape)


def random_policies(count: int, seed: int = 0) -> list[Policy]:
    """Different policies of 8, 16 and 32 bits."""
    rng = np.random.default_rng(seed)
    names = packaged()[0].network.graph.layer_names
    drawn = rng.choice(ENGINE_BITS, (count, len(names)))
    return [
        Policy({n: Bits(int(b), int(b)) for n, b in zip(names, row, strict=True)}) for row in drawn
    ]
