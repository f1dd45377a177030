"""torch's functions and methods on tokens, where these differ from those on images."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from torch import Tensor

from quant.errors import ModelError
from quant.graph import Op
from quant.trace.activations import refuse_tanh
from quant.trace.call import Call
from quant.trace.seen import Seen
from quant.trace.tokens import TokenBuilder

Read = Callable[[Call], Any]


def moved(how: Callable[[Call, Any], Any]) -> Read:
    """A function that moves axes, or takes a part, as `how` does it with the places of numbers."""
    return lambda call: call.args[0].moved(lambda places: how(call, places))


def reshape(call: Call, places: Any) -> Any:
    """The same numbers in another shape. Raises ModelError where images of a batch are mixed."""
    if call.result is None:
        raise ModelError(f"operation '{call.name}' makes one axis of the batch and another")
    return places.reshape(tuple(call.result.shape))


def transpose(call: Call, places: Any) -> Any:
    """Two axes swapped."""
    return places.swapaxes(call.argument(1, "dim0"), call.argument(2, "dim1"))


def permute(call: Call, places: Any) -> Any:
    """Axes in another order."""
    given = call.args[1:] or (call.kwargs["dims"],)
    return places.transpose(given[0] if isinstance(given[0], (tuple, list)) else given)


def item(call: Call) -> Any:
    """One of several values, or a part of one."""
    value, index = call.args[:2]
    if not isinstance(value, Seen):
        return value[index]
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        raise ModelError(f"operation '{call.name}': tokens are only taken by numbers and ranges")
    return value.moved(lambda places: places[index])


def select(call: Call, places: Any) -> Any:
    """One of an axis: select(x, axis, index)."""
    return places.take(call.argument(2, "index"), call.argument(1, "dim"))


def unbind(call: Call) -> tuple[Seen, ...]:
    """All of an axis."""
    axis = call.argument(1, "dim", 0)
    return tuple(
        call.args[0].moved(lambda places, i=i: places.take(i, axis))
        for i in range(len(call.result))
    )


def split(call: Call) -> tuple[Seen, ...]:
    """Ranges of an axis, one behind the other."""
    axis = call.axis(call.argument(2, "dim", 0))
    ends = np.cumsum([part.shape[axis] for part in call.result])[:-1]
    return tuple(
        call.args[0].moved(lambda places, i=i: np.split(places, ends, axis)[i])
        for i in range(len(call.result))
    )


def add(call: Call) -> Seen:
    """The sum of two values, or of tokens and numbers that are the same for all images."""
    value, constant = operands(call)
    if constant is None:
        return tokens(call).add(call.name, value)
    return tokens(call).shift(call.label, value[0], constant)


def mul(call: Call) -> Seen:
    """Tokens times a number, or one a channel."""
    value, constant = operands(call)
    if constant is None:
        raise ModelError(f"operation '{call.name}' multiplies tokens with each other")
    return tokens(call).scale(call.label, value[0], constant)


def div(call: Call) -> Seen:
    """Tokens divided by a number, or one a channel."""
    value, constant = operands(call)
    if constant is None or value[0] is not call.args[0] or np.any(constant == 0):
        raise ModelError(f"operation '{call.name}' divides by what is no constant")
    return tokens(call).scale(call.label, value[0], 1.0 / constant)


def operands(call: Call) -> tuple[Any, Any]:
    """The tokens that are joined, and the constant if one side is that. Raises ModelError."""
    if call.kwargs or len(call.args) != 2:
        raise ModelError(f"operation '{call.name}' is not of two values")
    values = tuple(arg for arg in call.args if isinstance(arg, Seen))
    others = [arg for arg in call.args if not isinstance(arg, Seen)]
    if len(values) == 2:
        return values, None
    if isinstance(others[0], Tensor):
        return values, others[0].detach().numpy().astype(np.float64)
    if not isinstance(others[0], int | float):
        raise ModelError(f"operation '{call.name}' joins tokens with an image")
    return values, np.float64(others[0])


def concat(call: Call) -> Seen:
    """Tokens that are the same for all images before those of each."""
    parts = list(call.argument(0, "tensors"))
    if len(parts) != 2 or not isinstance(parts[0], Tensor) or not isinstance(parts[1], Seen):
        raise ModelError(f"operation '{call.name}': tokens are only joined behind constant ones")
    if call.argument(1, "dim", 0) % parts[0].ndim != 1 or not alike(parts[0]):
        raise ModelError(f"operation '{call.name}' joins another axis than that of tokens (1)")
    first = parts[0][0].detach().numpy().astype(np.float32)
    return tokens(call).prepend(call.label, parts[1], first)


def alike(constant: Tensor) -> bool:
    """Whether a constant is the same for all images."""
    return bool((constant == constant[:1]).all())


def attention(call: Call) -> Seen:
    """Attention of heads: scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale)."""
    asked = [call.argument(3, "attn_mask"), call.argument(4, "dropout_p", 0.0)]
    asked += [call.argument(5, "is_causal", False), call.kwargs.get("enable_gqa", False)]
    if any(part is not None and part for part in asked):
        raise ModelError(f"operation '{call.name}': only attention to all tokens is supported")
    queries, keys, values = (call.argument(i, name) for i, name in enumerate(QKV))
    factor = call.kwargs.get("scale") or 1 / sqrt(queries.places.shape[-1])
    return tokens(call).attention(scope_of(call), queries, keys, values, float(factor))


def matmul(call: Call) -> Any:
    """Queries times turned keys, or scores times values."""
    one, other = call.args
    name = scope_of(call)
    if isinstance(one, str) and isinstance(other, Seen):
        return tokens(call).context(f"{name}.context", one, other)
    if isinstance(one, Seen) and isinstance(other, Seen):
        return tokens(call).products(name, one, other)
    raise ModelError(f"operation '{call.name}' is no product of queries, keys and values")


def mean(call: Call) -> Seen:
    """The mean of all tokens or pixels."""
    axes = call.argument(1, "dim")
    found = axes if isinstance(axes, tuple | list) else (axes,)
    inner = list(range(1, call.before.ndim - 1))
    kept = call.argument(2, "keepdim", False)
    if kept or not inner or sorted(call.axis(axis) for axis in found) != inner:
        raise ModelError(f"operation '{call.name}': only the mean of all tokens is supported")
    return tokens(call).mean(call.name, call.args[0])


def activation(op: Op) -> Read:
    """A function of every number."""
    return lambda call: tokens(call).activate(call.name, call.args[0], op)


def gelu(call: Call) -> Seen:
    """A GELU, exactly."""
    refuse_tanh(call.name, call.argument(1, "approximate", "none"))
    return tokens(call).activate(call.label, call.args[0], "gelu")


def dropout(call: Call) -> Any:
    """Nothing, where it is told that it does not train."""
    if call.argument(2, "training", True):
        raise ModelError(f"operation '{call.name}' is random: give it training=self.training")
    return call.args[0]


def identity(call: Call) -> Any:
    """Nothing."""
    return call.args[0]


def tokens(call: Call) -> TokenBuilder:
    """What adds to the builder of a call."""
    return TokenBuilder(call.builder)


def scope_of(call: Call) -> str:
    """Where a call stands in the network: the module, or the operation where it has none."""
    return call.scope or call.name


QKV = ("query", "key", "value")
RESHAPES = ("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze")
TOKEN_FUNCTIONS: dict[str, Read] = {
    **dict.fromkeys(RESHAPES, moved(reshape)),
    **{"transpose": moved(transpose), "swapaxes": moved(transpose), "permute": moved(permute)},
    **{"select": moved(select)},
    **{"getitem": item, "unbind": unbind},
    **dict.fromkeys(("chunk", "split", "tensor_split"), split),
    **dict.fromkeys(("add", "add_", "iadd"), add),
    **dict.fromkeys(("mul", "mul_", "imul", "multiply"), mul),
    **{"truediv": div, "div": div},
    **dict.fromkeys(("cat", "concat", "concatenate"), concat),
    **{"scaled_dot_product_attention": attention, "matmul": matmul, "bmm": matmul},
    **{"mean": mean, "gelu": gelu, "relu": activation("relu"), "relu_": activation("relu")},
    **{"relu6": activation("relu6"), "silu": activation("silu")},
    **{"sigmoid": activation("sigmoid"), "hardsigmoid": activation("hardsigmoid")},
    **{"hardswish": activation("hardswish"), "dropout": dropout},
    **dict.fromkeys(("contiguous", "clone", "detach"), identity),
}
