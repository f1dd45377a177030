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
    """`macs` are multiply-accumulates for one image, `layers` what can be quantized.

    These are convolutions, linear layers, and both products of each attention.
    """

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
    with _Functions(macs):
        net.eval()(image)
    return Counts(sum(p.numel() for p in net.parameters()), sum(macs), len(macs))


class _Functions(TorchFunctionMode):
    """Counts products of attention, and leaves batch norms out.

    These change no shape, and take most of the time without memory.
    """

    def __init__(self, macs: list[int]) -> None:
        super().__init__()
        self._macs = macs

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The input of a batch norm for its output, all else as it is."""
        if func is F.scaled_dot_product_attention:
            queries, keys, values = args
            self._macs += [queries[0].numel() * keys.shape[2], queries[0].numel() * values.shape[2]]
        return args[0] if func is F.batch_norm else func(*args, **(kwargs or {}))


def note_macs(macs: list[int], module: nn.Module, _: object, out: Tensor) -> None:
    """Every weight is multiplied once for each pixel or token of the output, of one image."""
    weight = module.get_parameter("weight")
    macs.append(weight.numel() * out[0].numel() // len(weight))
