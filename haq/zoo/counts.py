"""Parameters, multiply-accumulates and layers of a network, counted without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

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
    with _WithoutNorms():
        net.eval()(image)
    return Counts(sum(p.numel() for p in net.parameters()), sum(macs), len(macs))


class _WithoutNorms(TorchFunctionMode):
    """Leaves batch norms out: they change no shape, and take most of the time without memory."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The input of a batch norm for its output, all else as it is."""
        return args[0] if func is F.batch_norm else func(*args, **(kwargs or {}))


def note_macs(macs: list[int], module: nn.Module, _: object, out: Tensor) -> None:
    """Every weight is multiplied once for each pixel of the output (N, C, H, W) or (N, C)."""
    weight = module.get_parameter("weight")
    macs.append(weight.numel() * out[0, 0].numel())
