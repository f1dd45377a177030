"""The network of these benches: the packaged MobileNetV2, calibrated on the packaged images."""

from __future__ import annotations

from functools import cache

import numpy as np

from haq.data import Images, load_calibration, load_images
from haq.prepare import Subject, load_network, make_subject
from quant.policy import ENGINE_BITS, Bits, Policy, uniform

SIDE = 32


@cache
def packaged() -> tuple[Subject, Images]:
    """The network and its validation images."""
    config, network = load_network("mbv2", None, SIDE, "torch")
    images = load_images("sample", SIDE)
    ranges_from = load_calibration("sample", None, images, SIDE)
    return make_subject(config, network, ranges_from, "auto"), images


def float_policy() -> Policy:
    """All layers at 32 bits: the network against itself."""
    return uniform(packaged()[0].network.graph.layer_names, 32, 32)


def random_policies(count: int, seed: int = 0) -> list[Policy]:
    """Different policies of 8, 16 and 32 bits."""
    rng = np.random.default_rng(seed)
    names = packaged()[0].network.graph.layer_names
    drawn = rng.choice(ENGINE_BITS, (count, len(names)))
    return [
        Policy({n: Bits(int(b), int(b)) for n, b in zip(names, row, strict=True)}) for row in drawn
    ]
