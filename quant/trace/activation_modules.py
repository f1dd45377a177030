"""torch's activations as modules, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from quant.details import Factor, Slope
from quant.errors import ModelError
from quant.graph import Op
from quant.trace.activations import refuse_tanh
from quant.trace.call import Call
from quant.trace.numbered import clip

Read = Callable[[Call, Any], str]


def activation(op: Op) -> Read:
    """A module that is one activation."""
    return lambda call, _: call.builder.activate(call.name, call.source, op)


def leaky_relu(call: Call, module: nn.LeakyReLU) -> str:
    """A ReLU with a slope."""
    slope = Slope(module.negative_slope)
    return call.builder.activate(call.name, call.source, "leaky_relu", slope)


def gelu(call: Call, module: nn.GELU) -> str:
    """A GELU, exactly."""
    refuse_tanh(call.target, module.approximate)
    return call.builder.activate(call.name, call.source, "gelu")


def softmax(call: Call, module: nn.Softmax) -> str:
    """A softmax over the last axis of an image, or over classes at the end."""
    if call.axis(1 if module.dim is None else module.dim) == 1:
        return call.builder.end(call.name, call.source)
    if call.before.ndim != 4 or module.dim not in (-1, 3):
        raise ModelError(f"layer {call.target}: only a softmax of scores is supported")
    return call.builder.activate(call.name, call.source, "softmax", Factor(1.0))


def log_softmax(call: Call, module: nn.LogSoftmax) -> str:
    """Logarithms of a softmax over classes, at the end."""
    if call.axis(1 if module.dim is None else module.dim) != 1:
        raise ModelError(f"layer {call.target}: only a softmax over classes is supported")
    return call.builder.end(call.name, call.source)


def elu(call: Call, module: nn.ELU) -> str:
    """An exponential linear unit."""
    return call.builder.activate(call.name, call.source, "elu", Slope(module.alpha))


def softplus(call: Call, module: nn.Softplus) -> str:
    """The logarithm of 1 and the exponential."""
    if (module.beta, module.threshold) != (1, 20):
        raise ModelError(f"layer {call.target}: a softplus with a beta or threshold of its own")
    return call.builder.activate(call.name, call.source, "softplus")


def hardtanh(call: Call, module: nn.Hardtanh) -> str:
    """Values between two limits; ReLU6 is one of these."""
    limits = float(module.min_val), float(module.max_val)
    return clip(call.builder, call.name, call.source, *limits)


def celu(call: Call, module: nn.CELU) -> str:
    """An ELU with the same slope on both sides of 0 (Barron 2017)."""
    return call.builder.activate(call.name, call.source, "celu", Slope(module.alpha))


ACTIVATIONS: dict[type, Read] = {
    nn.ReLU: activation("relu"),
    nn.ReLU6: activation("relu6"),
    nn.Hardtanh: hardtanh,
    nn.LeakyReLU: leaky_relu,
    nn.Sigmoid: activation("sigmoid"),
    nn.LogSigmoid: activation("log_sigmoid"),
    nn.Hardsigmoid: activation("hardsigmoid"),
    nn.Hardswish: activation("hardswish"),
    nn.SiLU: activation("silu"),
    nn.GELU: gelu,
    nn.Softmax: softmax,
    nn.LogSoftmax: log_softmax,
    nn.Mish: activation("mish"),
    nn.Softplus: softplus,
    nn.Softsign: activation("softsign"),
    nn.Tanh: activation("tanh"),
    nn.ELU: elu,
    nn.SELU: activation("selu"),
    nn.CELU: celu,
}
