"""MobileNetV2 with ImageNet weights, where these lie beside the project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

from haq.data import normalise
from haq.data.sources import load_images
from haq.zoo import load
from quant.calibrate import Ranges, calibrate
from quant.graph import Floats, Network
from quant.trace import trace

SHARED = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Pretrained:
    """The network, its ranges, and two normalised images (2, C, H, W)."""

    network: Network
    ranges: Ranges
    images: Floats


@cache
def pretrained() -> Pretrained:
    """Loaded once; skips the test where there is nothing to load."""
    if not SHARED.is_dir():
        pytest.skip(f"the pretrained weights and their images are not in {SHARED}")
    weights = SHARED / "weights" / "mbv2_imagenet_tfsame.safetensors"
    module, config = load("mbv2", weights, 224, "same")
    network = trace(module, (config.channels, 224, 224))
    images = normalise(load_images(f"{SHARED / 'imagenet_224'}:0-3", 224).pixels)
    return Pretrained(network, calibrate(network, torch.from_numpy(images), "absmax"), images[:2])
