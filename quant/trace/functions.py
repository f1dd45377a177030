"""torch's functions and methods by name, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from quant.details import Factor, Interpolation, Pool, Slope
from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Op
from quant.trace.call import Call
from quant.trace.numbered import clip, pixel_shuffle
from quant.trace.seen import Seen
from quant.trace.windows import both_sides, even_window, pair

Read = Callable[[Call], Any]
MODES: dict[str, Interpolation] = {"nearest": "nearest", "bilinear": "bilinear"}
EVERYTHING = slice(None)


def add(call: Call) -> str:
    """The sum of two tensors."""
    return call.builder.add(call.name, operands(call, "the sum of two values of one shape"))


def mul(call: Call) -> str:
    """The product of two tensors, or of attention's scores and a number."""
    if isinstance(call.argument(1, "other"), int | float):
        return scaled(call, call.args[1])
    return call.builder.mul(call.name, operands(call, "the product of two values"))


def div(call: Call) -> str:
    """Attention's scores divided by a number."""
    number = call.argument(1, "other")
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


def operands(call: Call, wanted: str) -> tuple[str, ...]:
    """The two tensors that are joined. Raises ModelError where one is a number."""
    tensors = call.args[:2]
    if call.kwargs or len(tensors) != 2 or not all(isinstance(x, str) for x in tensors):
        raise ModelError(f"operation '{call.name}' is not {wanted}")
    return tensors


def concat(call: Call) -> str:
    """Tensors joined along the channels."""
    if call.argument(1, "dim", 0) % call.result.ndim != 1:
        raise ModelError(f"operation '{call.name}': only channels (dim 1) are joined")
    return call.builder.concat(call.name, list(call.argument(0, "tensors")))


def split(call: Call) -> tuple[str, ...]:
    """Ranges of channels, one behind the other."""
    if call.axis(call.argument(2, "dim", 0)) != 1:
        raise ModelError(f"operation '{call.name}': only channels (dim 1) are split")
    found, start = [], 0
    for index, part in enumerate(call.result):
        stop = start + part.shape[1]
        found.append(call.builder.slice(f"{call.name}_{index}", call.source, start, stop))
        start = stop
    return tuple(found)


def narrow(call: Call) -> str:
    """A range of channels by its start and length."""
    axis, start, length = (
        call.argument(i + 1, name) for i, name in enumerate(("dim", "start", "length"))
    )
    if call.axis(axis) != 1:
        raise ModelError(f"operation '{call.name}': only channels (dim 1) are taken")
    return call.builder.slice(call.name, call.source, start, start + length)


def item(call: Call) -> Any:
    """One of several tensors, or a range of channels: x[:, a:b]."""
    if not isinstance(call.args[0], str):
        return part(call, call.args[0])
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    others = [part for place, part in enumerate(index) if place != 1]
    taken = index[1] if len(index) > 1 else None
    if not isinstance(taken, slice) or any(part not in (EVERYTHING, Ellipsis) for part in others):
        raise ModelError(f"operation '{call.name}': of indexes only x[:, a:b] is supported")
    start, stop, step = taken.indices(call.before.shape[1])
    if step != 1:
        raise ModelError(f"operation '{call.name}': channels are not taken in steps of {step}")
    return call.builder.slice(call.name, call.source, start, stop)


def part(call: Call, parts: Sequence[Any]) -> Any:
    """One of several results. Raises ModelError for places of maxima, which nothing reads."""
    number = call.args[1]
    if not isinstance(number, int) or not -len(parts) <= number < len(parts):
        raise ModelError(f"operation '{call.name}' takes a result that is not supported")
    return parts[number]


def mean(call: Call) -> str:
    """The mean over all pixels, or over all channels."""
    if over_channels(call):
        return call.builder.reduce(call.name, call.source, "channel_mean")
    if axes_of(call) != {2, 3}:
        raise ModelError(
            f"operation '{call.name}': only the mean over (2, 3), or over 1 with keepdim, is "
            "supported"
        )
    return call.builder.mean(call.name, call.source)


def maximum(call: Call) -> str:
    """The maximum of all pixels, or of all channels."""
    if over_channels(call):
        return call.builder.reduce(call.name, call.source, "channel_max")
    if axes_of(call) != {2, 3}:
        raise ModelError(
            f"operation '{call.name}': only the maximum over (2, 3), or over 1 with keepdim, is "
            "supported"
        )
    return call.builder.maximum(call.name, call.source)


def axes_of(call: Call) -> set[int | None]:
    """The axes of an image that a reduction is over; none where it reads no image."""
    axes = call.argument(1, "dim")
    found = axes if isinstance(axes, (tuple, list)) else (axes,)
    return {a if a is None else call.axis(a) for a in found} if call.before.ndim == 4 else set()


def over_channels(call: Call) -> bool:
    """Whether a reduction is over the channels of an image, of which one stays."""
    return axes_of(call) == {1} and bool(call.argument(2, "keepdim", False))


def extreme(op: Op, what: str) -> Read:
    """The larger or the smaller of two values, or a maximum over channels with its places."""

    def read(call: Call) -> Any:
        if isinstance(call.argument(1, "other"), str):
            sources = call.source, str(call.argument(1, "other"))
            return call.builder.join(call.name, op, sources, what)
        if op == "maximum" and over_channels(call):
            values = maximum(call)
            return values if isinstance(call.result, Tensor) else (values,)
        raise ModelError(f"operation '{call.name}' is not {what} of two values, or over channels")

    return read


def reshape(call: Call) -> str:
    """The same numbers in another shape."""
    if call.result.shape[0] != call.before.shape[0]:
        raise ModelError(f"operation '{call.name}' mixes the images of a batch")
    return call.builder.reshape(call.name, call.source, call.shape)


def transpose(call: Call) -> str | Seen:
    """Two axes swapped."""
    order = list(range(call.before.ndim))
    one, other = call.axis(call.argument(1, "dim0")), call.axis(call.argument(2, "dim1"))
    order[one], order[other] = order[other], order[one]
    return call.builder.permute(call.name, call.source, order)


def permute(call: Call) -> str | Seen:
    """Axes in another order."""
    given = call.args[1:] or (call.kwargs["dims"],)
    order = given[0] if isinstance(given[0], (tuple, list)) else given
    return call.builder.permute(call.name, call.source, [call.axis(axis) for axis in order])


def expand(call: Call) -> str:
    """A factor a channel, which needs no pixels to be multiplied with an image."""
    if call.before.shape[2:] != (1, 1):
        raise ModelError(f"operation '{call.name}': only (C, 1, 1) is expanded")
    return call.source


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
    if call.argument(1, "beta", 1) != 1:
        raise ModelError(f"operation '{call.name}': a softplus with a beta is not supported")
    return call.builder.activate(call.name, call.source, "softplus")


def to_pixels(call: Call) -> str:
    """Pixels made of channels."""
    return pixel_shuffle(call.builder, call.name, call.source, call.argument(1, "upscale_factor"))


def even_pool(call: Call) -> str:
    """An adaptive average whose windows are all the same."""
    before, after = tuple(call.before.shape[1:]), call.shape
    window = even_window(call.name, before, after)
    return call.builder.avg_pool(call.name, call.source, after, window)


def even_max_pool(call: Call) -> str:
    """An adaptive maximum whose windows are all the same."""
    before, after = tuple(call.before.shape[1:]), call.shape
    window = even_window(call.name, before, after)
    return call.builder.max_pool(call.name, call.source, after, window)


def max_pool(call: Call) -> str:
    """Max pooling."""
    if pair(call.argument(4, "dilation", 1)) != (1, 1):
        raise ModelError(f"operation '{call.name}': max pooling with dilation is not supported")
    return call.builder.max_pool(call.name, call.source, call.shape, window_of(call, False))


def avg_pool(call: Call) -> str:
    """Average pooling."""
    if call.argument(6, "divisor_override") is not None:
        raise ModelError(f"operation '{call.name}': divisor_override is not supported")
    counts = bool(call.argument(5, "count_include_pad", True))
    return call.builder.avg_pool(call.name, call.source, call.shape, window_of(call, counts))


def window_of(call: Call, counts_pads: bool) -> Pool:
    """Kernel, stride and padding of a pooling function."""
    kernel = pair(call.argument(1, "kernel_size"))
    stride = call.argument(2, "stride") or kernel
    pads = both_sides(call.argument(3, "padding", 0))
    return Pool(kernel, pair(stride), pads, counts_pads)


def interpolate(call: Call) -> str:
    """More pixels."""
    mode, corners = call.argument(3, "mode", "nearest"), call.argument(4, "align_corners")
    if call.kwargs.get("antialias"):
        raise ModelError(f"operation '{call.name}': antialias is not supported")
    return enlarge(call, mode, bool(corners))


def enlarge(call: Call, mode: str, align_corners: bool) -> str:
    """More pixels by whole factors."""
    if mode not in MODES or align_corners:
        raise ModelError(
            f"operation '{call.name}': of upsampling only mode nearest and bilinear with "
            "align_corners=False are supported"
        )
    return call.builder.upsample(call.name, call.source, call.shape, MODES[mode])


def shuffle(call: Call) -> str:
    """Channels dealt out to groups."""
    return call.builder.shuffle(call.name, call.source, call.argument(1, "groups"))


def in_evaluation(call: Call) -> str:
    """What does nothing where it is told that it does not train."""
    if call.argument(3 if call.target.startswith("stochastic") else 2, "training", True):
        raise ModelError(f"operation '{call.name}' is random: give it training=self.training")
    return call.source


def identity(call: Call) -> str:
    """Nothing."""
    return call.source


FUNCTIONS: dict[str, Read] = {
    **dict.fromkeys(("add", "add_", "iadd"), add),
    **dict.fromkeys(("mul", "mul_", "imul", "multiply"), mul),
    **dict.fromkeys(("cat", "concat", "concatenate"), concat),
    **dict.fromkeys(("chunk", "split", "tensor_split"), split),
    **{"narrow": narrow, "getitem": item, "mean": mean},
    **dict.fromkeys(("max", "maximum"), extreme("maximum", "the maximum")),
    **dict.fromkeys(("min", "minimum"), extreme("minimum", "the minimum")),
    **dict.fromkeys(("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze"), reshape),
    **{"transpose": transpose, "swapaxes": transpose, "permute": permute},
    **{"expand": expand, "expand_as": expand},
    **{"relu": activation("relu"), "relu_": activation("relu"), "relu6": activation("relu6")},
    **{"sigmoid": activation("sigmoid"), "sigmoid_": activation("sigmoid")},
    **{"hardsigmoid": activation("hardsigmoid"), "hardswish": activation("hardswish")},
    **{"silu": activation("silu"), "leaky_relu": leaky_relu, "gelu": gelu},
    **{"truediv": div, "div": div, "softmax": softmax, "log_softmax": log_softmax},
    **{"clamp": clamp, "clip": clamp, "hardtanh": hardtanh},
    **{"tanh": activation("tanh"), "mish": activation("mish"), "elu": elu},
    **{"softplus": softplus},
    **{"adaptive_avg_pool2d": even_pool, "avg_pool2d": avg_pool},
    **{"adaptive_max_pool2d": even_max_pool, "amax": maximum},
    **{"max_pool2d": max_pool, "boolean_dispatch": max_pool},
    **{"interpolate": interpolate, "channel_shuffle": shuffle},
    **{"pixel_shuffle": to_pixels},
    **dict.fromkeys(("dropout", "dropout2d", "stochastic_depth"), in_evaluation),
    **dict.fromkeys(("contiguous", "clone", "detach"), identity),
}
