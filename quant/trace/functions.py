"""torch's functions and methods by name, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Op
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
