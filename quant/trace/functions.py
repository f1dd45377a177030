"""torch's functions and methods by name, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from quant.errors import ModelError
from quant.graph import Op
from quant.trace import arranged
from quant.trace.activations import (
    activation,
    celu,
    clamp,
    elu,
    gelu,
    hardtanh,
    leaky_relu,
    log_softmax,
    softmax,
    softplus,
)
from quant.trace.arithmetic import (
    add,
    channel_norm,
    div,
    inverse_root,
    mul,
    normalize,
    power,
    square,
    subtract,
)
from quant.trace.call import Call
from quant.trace.pools import (
    adaptive_pool,
    avg_pool,
    even_max_pool,
    from_pixels,
    interpolate,
    local_response_norm,
    max_pool,
    maximum,
    mean,
    over_channels,
    padded,
    to_pixels,
)
from quant.trace.seen import Seen

Read = Callable[[Call], Any]
EVERYTHING = slice(None)


def concat(call: Call) -> str:
    """Tensors joined along the channels, rows or columns."""
    axis = call.argument(1, "dim", 0) % call.result.ndim
    if axis == 0:
        raise ModelError(f"operation '{call.name}' joins the images of a batch")
    return arranged.concat(call.builder, call.name, list(call.argument(0, "tensors")), axis)


def split(call: Call) -> tuple[str, ...]:
    """Ranges of channels, rows or columns, one behind the other."""
    axis = call.axis(call.argument(2, "dim", 0))
    sizes = [part.shape[axis] for part in call.result]
    return arranged.split(call.builder, call.name, call.source, axis, sizes)


def narrow(call: Call) -> str:
    """A range of channels, rows or columns by its start and length."""
    axis, start, length = (
        call.argument(i + 1, name) for i, name in enumerate(("dim", "start", "length"))
    )
    part = slice(start, start + length)
    return arranged.cut(call.builder, call.name, call.source, call.axis(axis), part)


def item(call: Call) -> Any:
    """One of several tensors, or ranges of axes: x[:, a:b, c:d:e]."""
    if not isinstance(call.args[0], str):
        return part(call, call.args[0])
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    source = call.source
    for axis, taken in enumerate(by_axis(call, index)):
        if taken != EVERYTHING:
            name = call.name if source == call.source else f"{call.name}_{axis}"
            source = arranged.cut(call.builder, name, source, axis, taken)
    return source


def by_axis(call: Call, index: tuple[Any, ...]) -> list[slice]:
    """A range for each axis. Raises ModelError for other indexes, and for a part of the batch."""
    if ... in index:
        before = index.index(...)
        missing = call.before.ndim - len(index) + 1
        index = (*index[:before], *[EVERYTHING] * missing, *index[before + 1 :])
    if not all(isinstance(taken, slice) for taken in index) or index[0] != EVERYTHING:
        raise ModelError(f"operation '{call.name}': of indexes only x[:, a:b, ..] is supported")
    return list(index)


def part(call: Call, parts: Sequence[Any]) -> Any:
    """One of several results. Raises ModelError for places of maxima, which nothing reads."""
    number = call.args[1]
    if not isinstance(number, int) or not -len(parts) <= number < len(parts):
        raise ModelError(f"operation '{call.name}' takes a result that is not supported")
    return parts[number]


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
    """A number a channel, a pixel, a row or a column, as it can be joined with an image."""
    return call.builder.expand(call.name, call.source, call.shape)


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
    **dict.fromkeys(("sub", "subtract"), subtract),
    **{"pow": power, "square": square, "rsqrt": inverse_root, "normalize": normalize},
    **{"sqrt": activation("sqrt"), "reciprocal": activation("reciprocal")},
    **{"linalg_vector_norm": channel_norm},
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
    **{"softplus": softplus, "selu": activation("selu"), "celu": celu},
    **{"softsign": activation("softsign"), "logsigmoid": activation("log_sigmoid")},
    **{"log_sigmoid": activation("log_sigmoid"), "abs": activation("abs")},
    **{"adaptive_avg_pool2d": adaptive_pool, "avg_pool2d": avg_pool},
    **{"adaptive_max_pool2d": even_max_pool, "amax": maximum},
    **{"max_pool2d": max_pool, "boolean_dispatch": max_pool},
    **{"interpolate": interpolate, "channel_shuffle": shuffle},
    **{"pixel_shuffle": to_pixels, "pixel_unshuffle": from_pixels},
    **{"pad": padded, "local_response_norm": local_response_norm},
    **dict.fromkeys(("dropout", "dropout2d", "stochastic_depth"), in_evaluation),
    **dict.fromkeys(("contiguous", "clone", "detach"), identity),
}
