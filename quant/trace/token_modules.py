"""torch's modules on tokens, where these differ from those on images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
from torch import nn

from quant.errors import ModelError
from quant.graph import Op, Weights
from quant.trace.activations import refuse_tanh
from quant.trace.call import Call
from quant.trace.modules import conv1d, floats, layer_weights, nearest, norm_weights
from quant.trace.seen import Seen
from quant.trace.tokens import TokenBuilder

Read = Callable[[Call, Any], Any]


def reader_of(name: str, module: nn.Module) -> Read:
    """What reads a module. Raises ModelError where nothing does."""
    found = nearest(TOKEN_MODULES, module)
    if found is None:
        raise ModelError(f"layer {name} ({type(module).__name__}) is not supported on tokens")
    return found


def linear(call: Call, module: nn.Linear) -> Seen | str:
    """A layer of each token."""
    return TokenBuilder(call.builder).linear(call.target, call.args[0], layer_weights(module))


def layer_norm(call: Call, module: nn.LayerNorm) -> Seen:
    """A norm of each token by its channels."""
    builder, weights = TokenBuilder(call.builder), norm_weights(call, module)
    return builder.layer_norm(call.target, call.args[0], weights, module.eps)


def attention(call: Call, module: nn.MultiheadAttention) -> tuple[Seen, None]:
    """Attention of tokens to themselves; the scores are not given."""
    refuse_attention(call, module)
    tokens, (value, *_) = TokenBuilder(call.builder), call.args
    made = tokens.linear(f"{call.target}.in_proj", value, in_proj(module))
    assert isinstance(made, Seen)
    count, length, channels = value.places.shape
    split = (count, length, 3, module.num_heads, channels // module.num_heads)
    parts = made.moved(lambda places: places.reshape(split).transpose(2, 0, 3, 1, 4))
    queries, keys, values = (replace(parts, places=part) for part in parts.places)
    found = tokens.attention(call.target, queries, keys, values, 1 / sqrt(split[-1]))
    joined = found.moved(lambda places: places.swapaxes(1, 2).reshape(count, length, channels))
    out = tokens.linear(f"{call.target}.out_proj", joined, layer_weights(module.out_proj))
    assert isinstance(out, Seen)
    return out, None


def refuse_attention(call: Call, module: nn.MultiheadAttention) -> None:
    """Raise ModelError for anything but plain attention of tokens to themselves."""
    asked = [call.argument(i, name) for i, name in ((3, "key_padding_mask"), (5, "attn_mask"))]
    wide = module.in_proj_weight is None or module.bias_k is not None or module.add_zero_attn
    itself = all(value is call.args[0] for value in call.args[:3]) and len(call.args) >= 3
    if not module.batch_first or wide or not itself or any(part is not None for part in asked):
        raise ModelError(
            f"layer {call.target} (MultiheadAttention): only attention of tokens (N, T, C) to "
            "themselves is supported, with batch_first=True and without masks"
        )


def in_proj(module: nn.MultiheadAttention) -> Weights:
    """Weights of queries, keys and values, one behind the other."""
    weight = floats(module.in_proj_weight)
    bias = module.in_proj_bias
    return Weights(weight, np.zeros(len(weight), np.float32) if bias is None else floats(bias))


def activation(op: Op) -> Read:
    """A module that is one activation."""
    return lambda call, _: TokenBuilder(call.builder).activate(call.name, call.args[0], op)


def gelu(call: Call, module: nn.GELU) -> Seen:
    """A GELU, exactly."""
    refuse_tanh(call.target, module.approximate)
    return TokenBuilder(call.builder).activate(f"{call.target}.gelu", call.args[0], "gelu")


def identity(call: Call, module: nn.Module) -> Any:
    """Nothing."""
    return call.args[0]


TOKEN_MODULES: dict[type, Read] = {
    nn.Conv1d: conv1d,
    nn.Linear: linear,
    nn.LayerNorm: layer_norm,
    nn.MultiheadAttention: attention,
    nn.GELU: gelu,
    nn.ReLU: activation("relu"),
    nn.ReLU6: activation("relu6"),
    nn.SiLU: activation("silu"),
    nn.Sigmoid: activation("sigmoid"),
    nn.Hardsigmoid: activation("hardsigmoid"),
    nn.Hardswish: activation("hardswish"),
    nn.Dropout: identity,
    nn.Identity: identity,
}
