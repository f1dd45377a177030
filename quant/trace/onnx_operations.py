"""ONNX operations by name, each with what it is to the builder (onnx.ai/onnx/operators)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from quant.details import Slope
from quant.graph import Op
from quant.trace.numbered import pixel_shuffle, pixel_unshuffle
from quant.trace.onnx_arithmetic import (
    add,
    channel_norm,
    divide,
    extreme,
    multiply,
    negative,
    power,
    subtract,
)
from quant.trace.onnx_arranged import concat, reshape, split, take, transpose
from quant.trace.onnx_call import OnnxCall
from quant.trace.onnx_layers import batch_norm, conv, deconv, gemm, matmul
from quant.trace.onnx_norms import group_norm, instance_norm, prelu, response_norm
from quant.trace.onnx_pools import (
    average_pool,
    global_max_pool,
    max_pool,
    mean,
    pad,
    resize,
)
from quant.trace.pending import Value
from quant.trace.seen import Seen
from quant.trace.tokens import TokenBuilder

Read = Callable[[OnnxCall], Any]
SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""Alpha and gamma, as ONNX has them."""


def expand(call: OnnxCall) -> Value:
    """A number a channel, a pixel, a row or a column, as it can be joined with an image."""
    return call.pending.builder.expand(call.name, call.source, call.shape)


def activation(op: Op) -> Read:
    """An operation that is one activation, also of a sequence."""

    def read(call: OnnxCall) -> Value:
        if isinstance(call.value, Seen):
            return TokenBuilder(call.pending.builder).activate(call.name, call.value, op)
        return call.pending.builder.activate(call.name, call.source, op)

    return read


def leaky_relu(call: OnnxCall) -> Value:
    """A ReLU with a slope."""
    slope = Slope(call.attribute("alpha", 0.01))
    return call.pending.builder.activate(call.name, call.source, "leaky_relu", slope)


def elu(call: OnnxCall) -> Value:
    """An exponential linear unit."""
    slope = Slope(call.attribute("alpha", 1.0))
    return call.pending.builder.activate(call.name, call.source, "elu", slope)


def celu(call: OnnxCall) -> Value:
    """An ELU with the same slope on both sides of 0."""
    slope = Slope(call.attribute("alpha", 1.0))
    return call.pending.builder.activate(call.name, call.source, "celu", slope)


def selu(call: OnnxCall) -> Value:
    """torch's SELU."""
    if not np.allclose((call.attribute("alpha", SELU[0]), call.attribute("gamma", SELU[1])), SELU):
        raise call.refused("has other numbers than those of Klambauer et al. 2017")
    return call.pending.builder.activate(call.name, call.source, "selu")


def logarithm(call: OnnxCall) -> Value:
    """The logarithm of a sigmoid, as torch exports it."""
    sigmoid = call.pending.builder.node(call.source)
    if sigmoid.op != "sigmoid":
        raise call.refused("is of other than a sigmoid, which is not supported")
    return call.pending.builder.activate(call.name, sigmoid.inputs[0], "log_sigmoid")


def from_pixels(call: OnnxCall) -> Value:
    """Channels made of pixels, those of one place in a square behind one another."""
    builder, side = call.pending.builder, call.attribute("blocksize")
    made = pixel_unshuffle(builder, f"{call.name}_squares", call.source, side)
    return builder.shuffle(call.name, made, call.before[0])


def to_pixels(call: OnnxCall) -> Value:
    """Pixels made of channels, as torch's pixel shuffle makes them."""
    if call.attribute("mode", b"DCR") not in ("CRD", b"CRD"):
        raise call.refused("has mode DCR, of which torch knows nothing: only CRD is supported")
    side = call.attribute("blocksize")
    return pixel_shuffle(call.pending.builder, call.name, call.source, side)


def hard_sigmoid(call: OnnxCall) -> Value:
    """torch's hard sigmoid, relu6(x + 3) / 6."""
    alpha, beta = call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    if not np.allclose((alpha, beta), (1 / 6, 0.5), atol=1e-6):
        raise call.refused("has other factors than 1/6 and 0.5, which is not supported")
    return call.pending.builder.activate(call.name, call.source, "hardsigmoid")


def clip(call: OnnxCall) -> Value:
    """Values between two limits."""
    low, high = (bound(call, index, name) for index, name in ((1, "min"), (2, "max")))
    return call.pending.clip(call.name, call.value, low, high)


def bound(call: OnnxCall, index: int, name: str) -> float | None:
    """A bound of Clip: an input, before version 11 an attribute."""
    given = call.constant(index)
    return call.attribute(name) if given is None else float(given.item())


def identity(call: OnnxCall) -> Value:
    """Nothing."""
    return call.value


def softmax(call: OnnxCall) -> Value:
    """A softmax over the classes, plain or logarithmic, at the end."""
    if call.axis(call.attribute("axis", -1)) != 1:
        raise call.refused("is over another axis than classes, which is not supported")
    return call.pending.builder.end(call.name, call.source)


def cast(call: OnnxCall) -> Value:
    """Nothing: numbers stay float32."""
    if call.attribute("to") != onnx.TensorProto.FLOAT:
        raise call.refused("casts to other than float32, which is not supported")
    return call.value


OPERATIONS: dict[str, Read] = {
    **{"Conv": conv, "ConvTranspose": deconv, "Gemm": gemm, "MatMul": matmul},
    **{"BatchNormalization": batch_norm},
    **{"Add": add, "Sub": subtract, "Mul": multiply, "Div": divide},
    **{"Pow": power, "Neg": negative, "ReduceL2": channel_norm},
    **{"Sqrt": activation("sqrt"), "Reciprocal": activation("reciprocal")},
    **{"Max": extreme("maximum", "the maximum"), "Min": extreme("minimum", "the minimum")},
    **{"Concat": concat, "Split": split, "Slice": take},
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    **{"Transpose": transpose, "Pad": pad, "Resize": resize, "Expand": expand},
    **{"MaxPool": max_pool, "AveragePool": average_pool},
    **{"GlobalAveragePool": mean, "ReduceMean": mean},
    **{"GlobalMaxPool": global_max_pool, "ReduceMax": global_max_pool},
    **{"Relu": activation("relu"), "LeakyRelu": leaky_relu, "Clip": clip},
    **{"Sigmoid": activation("sigmoid"), "HardSigmoid": hard_sigmoid},
    **{"HardSwish": activation("hardswish"), "Mish": activation("mish")},
    **{"Softplus": activation("softplus")},
    **{"Tanh": activation("tanh"), "Elu": elu, "PRelu": prelu, "DepthToSpace": to_pixels},
    **{"Selu": selu, "Celu": celu, "Softsign": activation("softsign"), "Log": logarithm},
    **{"Abs": activation("abs"), "SpaceToDepth": from_pixels, "LRN": response_norm},
    **{"InstanceNormalization": instance_norm, "GroupNormalization": group_norm},
    **dict.fromkeys(("Identity", "Dropout"), identity),
    **{"Cast": cast, "Softmax": softmax, "LogSoftmax": softmax},
}
