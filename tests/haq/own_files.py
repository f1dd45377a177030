"""A small network as the files that users bring."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

SIDE, CLASSES = 16, 10
LAYERS = ("0", "4")


def small_network(channels: int = 3) -> nn.Module:
    """For images (channels, SIDE, SIDE); weights are the same at each call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, CLASSES)).eval()


def write_own(path: Path, channels: int = 3) -> Path:
    """The network as `.onnx` or `.pt2`."""
    net, images = small_network(channels), torch.zeros(2, channels, SIDE, SIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".onnx":
            torch.onnx.export(net, (images[:1],), path, dynamo=False)
        else:
            torch.export.save(torch.export.export(net, (images,)), path)
    return path
