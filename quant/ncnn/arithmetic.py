"""Activations and powers that ncnn has no layer for: several of its layers each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quant.details import Exponent
from quant.graph import Op
from quant.ncnn.format import NcnnLayer
from quant.ncnn.operations import FLOAT32_MAX
from quant.ncnn.writing import Writing

ADD, DIVIDE, POWER = 0, 3, 6
"""Operations of a BinaryOp."""
NEGATIVE = 1
"""Operation of a UnaryOp."""
LEAST = 1.2e-38
"""About the least normal float32: ncnn's power is exp(p log(x)), and wrong at 0 and below."""


def softsign(writing: Writing) -> list[NcnnLayer]:
    """x / (1 + |x|)."""
    size = writing.layer("AbsVal", "size", writing.inputs, {})
    more = writing.layer("BinaryOp", "more", size.outputs, {0: ADD, 1: 1, 2: 1.0})
    return [size, more, writing.last("BinaryOp", (*writing.inputs, *more.outputs), {0: DIVIDE})]


def log_sigmoid(writing: Writing) -> list[NcnnLayer]:
    """-softplus(-x)."""
    negative = writing.layer("UnaryOp", "negative", writing.inputs, {0: NEGATIVE})
    softplus = writing.layer("Softplus", "softplus", negative.outputs, {})
    return [negative, softplus, writing.last("UnaryOp", softplus.outputs, {0: NEGATIVE})]


def power(writing: Writing) -> list[NcnnLayer]:
    """A power of what is not negative; that of 0 is no more than `LEAST` to the power."""
    assert isinstance(writing.node.detail, Exponent)
    base = writing.layer("Clip", "base", writing.inputs, {0: LEAST, 1: FLOAT32_MAX})
    params = {0: POWER, 1: 1, 2: float(writing.node.detail.value)}
    return [base, writing.last("BinaryOp", base.outputs, params)]


SEVERAL: Mapping[Op, Callable[[Writing], list[NcnnLayer]]] = {
    **{"softsign": softsign, "log_sigmoid": log_sigmoid, "power": power},
}
