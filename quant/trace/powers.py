"""Powers, and norms that divide by the root of a sum, for all readers."""

from __future__ import annotations

from quant.details import Exponent
from quant.errors import ModelError
from quant.trace.builder import Builder
from quant.trace.numbered import clip

LEAST, MOST = 0.25, 16
"""Exponents between these are as exact in ncnn as in torch, also of 0."""


def power(builder: Builder, name: str, source: str, exponent: float) -> str:
    """A value to a power: a product, a root or a reciprocal where it is one.

    Of what is not negative, unless it is a product. Raises ModelError for others, near 0 or large.
    """
    if exponent < 0:
        positive = power(builder, f"{name}_positive", source, -exponent)
        return builder.activate(name, positive, "reciprocal")
    if exponent == 1 / 2:
        return builder.activate(name, source, "sqrt")
    if not LEAST <= exponent <= MOST:
        raise ModelError(f"operation '{name}': of powers only {LEAST} to {MOST} are supported")
    if float(exponent).is_integer():
        return product(builder, name, source, int(exponent))
    return builder.activate(name, source, "power", Exponent(float(exponent)))


def product(builder: Builder, name: str, source: str, count: int) -> str:
    """A value `count` times multiplied: squares, and the value once more where that is odd."""
    if count == 1:
        return source
    half = product(builder, f"{name}_{count // 2}", source, count // 2)
    if count % 2 == 0:
        return builder.mul(name, (half, half))
    return builder.mul(name, (builder.mul(f"{name}_{count - 1}", (half, half)), source))


def channel_norm(builder: Builder, name: str, source: str) -> str:
    """The root of the sum of all channels' squares: (1, H, W). Raises ModelError."""
    return builder.reduce(name, builder.pixel(f"{name}_pixel", source), "channel_norm")


def normalize(builder: Builder, name: str, source: str, epsilon: float) -> str:
    """A value divided by its norm over channels, which is `epsilon` at least."""
    norm = channel_norm(builder, f"{name}_norm", source)
    return builder.div(name, source, clip(builder, f"{name}_least", norm, epsilon, None))
