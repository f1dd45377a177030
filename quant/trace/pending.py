"""Arithmetic with constants, written down until it is known what it is a part of.

Exporters write x * relu6(x + 3) / 6 for a hard swish (Howard et al. 2019, section 5.2), a bias or
an image's normalisation as an addition, padding as an operation of its own. So x * factor + shift
and padded values wait: they become part of an activation, a convolution or a scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import ModelError
from quant.fold import Doubles, Norm
from quant.graph import Op
from quant.trace.builder import Builder
from quant.trace.numbered import clip
from quant.trace.padding import pad
from quant.trace.seen import Seen, refused
from quant.trace.stacked import Stacked, refuse
from quant.trace.views import Shape

SIX, THREE = 6.0, 3.0
ROUNDING = 1e-6
ONE, ZERO = np.float64(1.0), np.float64(0.0)


@dataclass(frozen=True, eq=False)
class Affine:
    """x * factor + shift of the node `source`; a number or (C,) each. `name` is the operation's."""

    name: str
    source: str
    factor: Any = ONE
    shift: Any = ZERO


@dataclass(frozen=True, eq=False)
class Padded:
    """A node with zeros around it: `pads` is (left, right, top, bottom) in pixels."""

    name: str
    source: str
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Rectified:
    """A value clipped at 0, which may yet be clipped at 6."""

    name: str
    value: str | Affine


GATED: Mapping[tuple[Op, ...], Op] = {
    ("hardsigmoid",): "hardswish",
    ("sigmoid",): "silu",
    ("tanh", "softplus"): "mish",
}
"""What a value times a gate is, by the operations that make the gate of it, the last first."""
Value = str | Affine | Padded | Rectified | Seen | Stacked


class Pending:
    """What is done to values that wait; all methods raise ModelError."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._computed: dict[Affine | Padded | Rectified, str] = {}

    def plain(self, value: Value) -> str:
        """The node that holds a value."""
        if isinstance(value, str):
            return value
        if isinstance(value, Seen):
            raise refused(value)
        if isinstance(value, Stacked):
            raise refuse(value)
        if value not in self._computed:
            self._computed[value] = self._compute(value)
        return self._computed[value]

    def times(self, name: str, value: Value, factor: Any) -> Affine:
        """A value multiplied with a number or with (C,)."""
        found = self._affine(name, value)
        return replace(found, factor=found.factor * factor, shift=found.shift * factor)

    def plus(self, name: str, value: Value, shift: Any) -> Affine:
        """A value and a number, or (C,)."""
        found = self._affine(name, value)
        return replace(found, shift=found.shift + shift)

    def clip(self, name: str, value: Value, low: float | None, high: float | None) -> Value:
        """Values within limits; relu6(x + 3) is six times a hard sigmoid of x, relu6(x + 3) / 6."""
        if isinstance(value, Rectified) and (low, high) == (None, SIX):
            low, value = 0, value.value
        if low != 0 or high not in (None, SIX):
            return clip(self.builder, name, self.plain(value), low, high)
        if high is None:
            return Rectified(name, value if isinstance(value, Affine) else self.plain(value))
        if isinstance(value, Affine) and is_number(value, ONE, THREE):
            made = self.builder.activate(name, value.source, "hardsigmoid")
            return Affine(name, made, np.float64(SIX))
        return self.builder.activate(name, self.plain(value), "relu6")

    def product(self, name: str, one: Value, other: Value) -> Value:
        """Two values multiplied; a hard sigmoid with its own input is a hard swish."""
        for x, gate in ((one, other), (other, one)):
            if isinstance(gate, Affine) and np.all(gate.shift == 0) and np.ndim(gate.factor) == 0:
                return Affine(name, self._gated(name, self.plain(x), gate.source), gate.factor)
        return self._gated(name, self.plain(one), self.plain(other))

    def pad(self, name: str, value: Value, pads: tuple[int, int, int, int]) -> Value:
        """Zeros around a value."""
        if min(pads) < 0:
            raise ModelError(f"operation '{name}' crops its input, which is not supported")
        return Padded(name, self.plain(value), pads) if any(pads) else value

    def window(
        self, value: Value, pads: tuple[int, int, int, int]
    ) -> tuple[str, tuple[int, int, int, int]]:
        """What a convolution of these pads reads, and its pads with those that wait."""
        if not isinstance(value, Padded):
            return self.plain(value), pads
        left, right, top, bottom = (a + b for a, b in zip(value.pads, pads, strict=True))
        return value.source, (left, right, top, bottom)

    def _gated(self, name: str, one: str, other: str) -> str:
        """A product, by the name that it has where a factor is made of the other."""
        for x, gate in ((one, other), (other, one)):
            for ops, product in GATED.items():
                if self._made_by(gate, ops) == x:
                    return self.builder.activate(name, x, product)
        return self.builder.mul(name, (one, other))

    def _made_by(self, name: str, ops: Sequence[Op]) -> str | None:
        """What a value is made of by these operations, the last first; None by any others."""
        for op in ops:
            node = self.builder.nodes.get(name)
            if node is None or node.op != op:
                return None
            name = node.inputs[0]
        return name

    def _affine(self, name: str, value: Value) -> Affine:
        if isinstance(value, Affine):
            return replace(value, name=name)
        return Affine(name, self.plain(value))

    def _compute(self, value: Affine | Padded | Rectified) -> str:
        """A node for a value that can wait no longer."""
        if isinstance(value, Padded):
            return pad(self.builder, value.name, value.source, value.pads, "zeros")
        if isinstance(value, Rectified):
            return self.builder.activate(value.name, self.plain(value.value), "relu")
        if is_number(value, ONE, ZERO):
            return value.source
        node = self.builder.nodes.get(value.source)
        channels = node.shape[0] if node else 1
        factor, shift = (spread(part, channels) for part in (value.factor, value.shift))
        return self.builder.norm(value.name, value.source, Norm(np.zeros(channels), factor, shift))


def is_number(value: Affine, factor: float, shift: float) -> bool:
    """Whether these are the factor and the shift of all channels, up to float32's rounding."""
    near = [
        np.allclose(*pair, 0, ROUNDING) for pair in ((value.factor, factor), (value.shift, shift))
    ]
    return all(near)


def spread(part: Any, channels: int) -> Doubles:
    """A number or (C,) as float64 (C,)."""
    return np.array(np.broadcast_to(part, (channels,)), np.float64)


def by_channel(name: str, constant: NDArray[Any], shape: Shape) -> Any:
    """A constant that is joined with a value of `shape` (one image), as a number or (C,).

    Raises ModelError where it changes from pixel to pixel or makes the value larger.
    """
    if constant.size == 1:
        return np.float64(constant.item())
    batched = (1,) * (1 + len(shape) - constant.ndim) + constant.shape
    if batched != (1, shape[0], *(1,) * (len(shape) - 1)):
        raise ModelError(
            f"operation '{name}': of constants only a number, or one a channel, can be added or "
            "multiplied"
        )
    return constant.reshape(-1).astype(np.float64)
