"""Tokens in torch, as images of one row (N, C, 1, T): products of attention, and what is between.

A head has C / heads of the channels, in order.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.graph import Layer


def multiply(layer: Layer, one: Tensor, other: Tensor) -> Tensor:
    """Scores (N, heads, T, S) or a context (N, C, 1, T), by `layer.op`."""
    return scores(one, other, layer.groups) if layer.op == "scores" else context(one, other)


def scores(queries: Tensor, keys: Tensor, heads: int) -> Tensor:
    """Queries (N, C, 1, T) times keys (N, C, 1, S) of each head: (N, heads, T, S)."""
    return by_head(queries, heads).mT @ by_head(keys, heads)


def context(weights: Tensor, values: Tensor) -> Tensor:
    """Values (N, C, 1, S) summed by the weights (N, heads, T, S) of each token: (N, C, 1, T)."""
    count, channels = values.shape[:2]
    found = by_head(values, weights.shape[1]) @ weights.mT
    return found.reshape(count, channels, 1, -1)


def by_head(x: Tensor, heads: int) -> Tensor:
    """(N, C, 1, T) as (N, heads, C / heads, T)."""
    return x.reshape(len(x), heads, -1, x.shape[3])


def prepend(x: Tensor, tokens: Tensor) -> Tensor:
    """The same tokens (C, count) before those of every image."""
    return torch.cat([tokens[None, :, None].expand(len(x), -1, 1, -1), x], 3)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """The channels of each pixel normalised (Ba et al. 2016), then a factor and a shift (C,)."""
    pixels = F.layer_norm(x.movedim(1, -1), (x.shape[1],), weight, bias, epsilon)
    return pixels.movedim(-1, 1)
