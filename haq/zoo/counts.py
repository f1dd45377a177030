"""Parameters, multiply-accumulates and layers of a network, counted without running it."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from haq.zoo.config import NetConfig
from haq.zoo.registry import build


class Counts(NamedTuple):
    """`macs` are multiply-accumulates for one image, `layers` convolutions and linear layers."""

    params: int
    macs: int
    layers: int


def count(config: NetConfig) -> Counts:
    """Of a network of the zoo. Raises ModelError."""
    with torch.device("meta"):
        net, image = build(config), torch.zeros(1, config.channels, *[config.input_size] * 2)
    macs: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(partial(note_macs, macs))
    net.eval()(image)
    return Counts(sum(p.numel() for p in net.parameters()), sum(macs), len(macs))


def note_macs(macs: list[int], module: nn.Module, _: object, out: Tensor) -> None:
    """Every weight is multiplied once for each pixel of the output (N, C, H, W) or (N, C)."""
    weight = module.get_parameter("weight")
    macs.append(weight.numel() * out[0, 0].numel())
