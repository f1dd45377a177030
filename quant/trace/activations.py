"""torch's activations as functions, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quant.details import Factor, Slope
from quant.errors import ModelError
from quant.graph import Op
from quant.trace.call import Call
from quant.trace.numbered import clip

Read = Callable[[Call], Any]


def softmax(call: Call) -> str:
    """A softmax over the last axis of an image, as scores are, or over classes at the end."""
    if call.axis(call.argument(1, "dim")) == 1 and not call.kwargs.get("dtype"):
        return call.builder.end(call.label, call.source)
    if call.before.ndim != 4 or call.axis(call.argument(1, "dim")) != 3 or call.kwargs.get("dtype"):
        raise ModelError(f"operation '{call.name}': only a softmax of scores is supported")
    return call.builder.activate(call.label, call.source, "softmax", Factor(1.0))


def log_softmax(call: Call) -> str:
    """Logarithms of a softmax over classes, at the end."""
    if call.axis(call.argument(1, "dim")) != 1:
        raise ModelError(f"operation '{call.name}': only a softmax over classes is supported")
    return call.builder.end(call.label, call.source)


def gelu(call: Call) -> str:
    """A GELU, exactly."""
    refuse_tanh(call.name, call.argument(1, "approximate", "none"))
    return call.builder.activate(call.name, call.source, "gelu")


def refuse_tanh(name: str, approximate: str) -> None:
    """Raise ModelError for a GELU by its formula with tanh."""
    if approximate != "none":
        raise ModelError(f"'{name}': of GELU only approximate='none' is supported")


def activation(op: Op) -> Read:
    """A function that is one activation."""
    return lambda call: call.builder.activate(call.name, call.source, op)


def leaky_relu(call: Call) -> str:
    """A ReLU with a slope."""
    slope = Slope(call.argument(1, "negative_slope", 0.01))
    return call.builder.activate(call.name, call.source, "leaky_relu", slope)


def elu(call: Call) -> str:
    """An exponential linear unit."""
    slope = Slope(float(call.argument(1, "alpha", 1.0)))
    return call.builder.activate(call.name, call.source, "elu", slope)


def celu(call: Call) -> str:
    """An ELU with the same slope on both sides of 0."""
    slope = Slope(float(call.argument(1, "alpha", 1.0)))
    return call.builder.activate(call.name, call.source, "celu", slope)


def clamp(call: Call) -> str:
    """Values between two limits that are numbers."""
    low = call.argument(1, "min", call.kwargs.get("min_val"))
    high = call.argument(2, "max", call.kwargs.get("max_val"))
    if not all(limit is None or isinstance(limit, int | float) for limit in (low, high)):
        raise ModelError(f"operation '{call.name}': values are only clipped at numbers")
    return clip(call.builder, call.name, call.source, low, high)


def hardtanh(call: Call) -> str:
    """Values between -1 and 1, or other limits."""
    low, high = call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0)
    return clip(call.builder, call.name, call.source, low, high)


def softplus(call: Call) -> str:
    """The logarithm of 1 and the exponential."""
    if (call.argument(1, "beta", 1), call.argument(2, "threshold", 20)) != (1, 20):
        raise ModelError(f"operation '{call.name}': a softplus with a beta or threshold of its own")
    return call.builder.activate(call.name, call.source, "softplus")
