"""torch's arithmetic as functions: sums, products, quotients, powers."""

from __future__ import annotations

import numpy as np

from quant.errors import ModelError
from quant.fold import Norm
from quant.trace import powers
from quant.trace.call import Call


def add(call: Call) -> str:
    """The sum of two tensors."""
    return call.builder.add(call.name, operands(call, "the sum of two values of one shape"))


def subtract(call: Call) -> str:
    """A tensor less another one."""
    first, second = operands(call, "the difference of two values")
    shape = call.builder.shape(call.name, second)
    zeros = np.zeros(shape[0])
    negative = call.builder.norm(f"{call.name}_negative", second, Norm(zeros, zeros - 1, zeros))
    return call.builder.add(call.name, (first, negative))


def mul(call: Call) -> str:
    """The product of two tensors, or of attention's scores and a number."""
    if isinstance(call.argument(1, "other"), int | float):
        return scaled(call, call.args[1])
    return call.builder.mul(call.name, operands(call, "the product of two values"))


def div(call: Call) -> str:
    """A tensor divided by another one, or attention's scores by a number."""
    number = call.argument(1, "other")
    if isinstance(number, str) and call.args[0] == 1:
        return call.builder.activate(call.name, number, "reciprocal")
    if isinstance(number, str):
        return call.builder.div(call.name, *operands(call, "the quotient of two values"))
    if not isinstance(number, int | float) or not number:
        raise ModelError(f"operation '{call.name}' divides by what is no number")
    return scaled(call, 1 / number)


def scaled(call: Call, factor: float) -> str:
    """Scores times a number. Raises ModelError for other images."""
    heads = call.builder.nodes.get(call.source)
    if heads is None or heads.op != "scores":
        raise ModelError(f"operation '{call.name}' is not the product of two values")
    zeros = np.zeros(heads.shape[0])
    return call.builder.norm(call.name, call.source, Norm(zeros, zeros + factor, zeros))


def operands(call: Call, wanted: str) -> tuple[str, ...]:
    """The two tensors that are joined. Raises ModelError where one is a number."""
    tensors = call.args[:2]
    if call.kwargs or len(tensors) != 2 or not all(isinstance(x, str) for x in tensors):
        raise ModelError(f"operation '{call.name}' is not {wanted}")
    return tensors


def power(call: Call) -> str:
    """A tensor to a power that is a number: pow(x, exponent)."""
    exponent = call.argument(1, "exponent")
    if not isinstance(exponent, int | float) or not isinstance(call.args[0], str):
        raise ModelError(f"operation '{call.name}' is no power by a number")
    return powers.power(call.builder, call.name, call.source, exponent)


def square(call: Call) -> str:
    """A tensor times itself."""
    return call.builder.mul(call.name, (call.source, call.source))


def inverse_root(call: Call) -> str:
    """The reciprocal of a square root."""
    return powers.power(call.builder, call.name, call.source, -0.5)


def normalize(call: Call) -> str:
    """A tensor divided by its norm over channels: normalize(x, p, dim, eps)."""
    order, axis = call.argument(1, "p", 2.0), call.argument(2, "dim", 1)
    if order != 2 or not isinstance(axis, int) or call.axis(axis) != 1:
        raise ModelError(f"operation '{call.name}': only L2 norms over channels are supported")
    return powers.normalize(
        call.builder, call.name, call.source, float(call.argument(3, "eps", 1e-12))
    )


def channel_norm(call: Call) -> str:
    """A norm over channels, of which one stays: linalg_vector_norm(x, order, axes, keepdim)."""
    order, axes = call.argument(1, "ord", 2), call.argument(2, "dim")
    over = [call.axis(axis) for axis in ([axes] if isinstance(axes, int) else axes or ())]
    if order != 2 or over != [1] or not call.argument(3, "keepdim", False):
        raise ModelError(f"operation '{call.name}': only L2 norms over channels are supported")
    return powers.channel_norm(call.builder, call.name, call.source)
