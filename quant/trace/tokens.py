"""Tokens for the builder: what reads values whose axes were moved, and gives such values again.

In the network tokens are images of one row (C, 1, T). A transformer has them as (N, T, C), or as
heads (N, heads, T, C / heads); a single one as (N, C). A ConvNeXt (Liu et al. 2022) has pixels as
tokens: (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from quant.details import Detail, Epsilon, Factor, Tokens
from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Floats, Layer, Node, Op, Weights
from quant.trace.builder import Builder
from quant.trace.numbered import NONE
from quant.trace.seen import (
    IMAGES,
    Places,
    Seen,
    heads_to_rows,
    image_to_pixels,
    in_order,
    pixels_to_image,
    region_of,
    rows_to_heads,
    rows_to_tokens,
    tokens_to_rows,
    turned_to_rows,
    whole,
)
from quant.trace.windows import Window

Numbers = NDArray[np.floating]
ToRows = Callable[[Places], Places]


class TokenBuilder:
    """Adds to a builder what reads tokens. All methods raise ModelError."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def linear(self, name: str, value: Seen, weights: Weights) -> Seen | str:
        """A layer of each token, by weights (c_out, C); of a single one it gives a vector."""
        node = self.node(name, value)
        if value.places.ndim == 2:
            return self.builder.linear(name, node, weights)
        weight = weights.weight[:, :, None, None]
        shape = (len(weight), *self.builder.node(node).shape[1:])
        made = self.builder.conv(name, node, shape, Weights(weight, weights.bias), Window())
        return self.seen(made, value)

    def activate(self, name: str, value: Seen, op: Op, detail: Detail | None = None) -> Seen:
        """An activation of every number, in whatever order these are seen."""
        if np.unique(value.places).size == prod((IMAGES, *value.shape)):
            made = self.builder.activate(name, value.source, op, detail)
            return replace(value, source=made)
        return self.seen(self.builder.activate(name, self.node(name, value), op, detail), value)

    def layer_norm(self, name: str, value: Seen, weights: Weights, epsilon: float) -> Seen:
        """A norm of each token by its channels."""
        return self._constant(name, "layer_norm", value, weights, Epsilon(epsilon))

    def vector_norm(self, name: str, source: str, weights: Weights, epsilon: float) -> str:
        """A norm of a vector by its numbers."""
        shape = self.builder.node(source).shape
        if shape != (len(weights.weight), *[1] * (len(shape) - 1)):
            raise ModelError(f"layer norm {name} reads no tokens (N, T, C), pixels or vectors")
        made = Node(name, "layer_norm", (source,), shape, None, Epsilon(epsilon), weights)
        return self.builder.append(made)

    def shift(self, name: str, value: Seen, numbers: Numbers) -> Seen:
        """Numbers added that are the same for all images: a position embedding (1, T, C)."""
        shape = (*value.places.shape[1:-1], value.places.shape[-1])
        by_token = np.broadcast_to(numbers, (1, *shape)).reshape(-1, shape[-1])
        weight = np.ascontiguousarray(by_token.T[:, None], np.float32)
        return self._constant(name, "shift", value, Weights(weight, NONE))

    def scale(self, name: str, value: Seen, factor: Numbers) -> Seen:
        """A factor for all numbers, of heads, too, or one a channel (C,)."""
        if value.places.ndim == 4 and factor.size == 1 and not is_pixels(value):
            heads = value.places.shape[1]
            made = self._norm(name, self.rows(f"{name}_input", value, heads_to_rows), factor)
            return self._whole(made).moved(lambda places: rows_to_heads(places, heads))
        return self.seen(self._norm(name, self.node(name, value), factor), value)

    def add(self, name: str, values: tuple[Seen, Seen]) -> Seen:
        """The sum of two values."""
        nodes = [self.node(f"{name}_{place}", value) for place, value in enumerate(values)]
        return self.seen(self.builder.add(name, nodes), values[0])

    def prepend(self, name: str, value: Seen, tokens: Floats) -> Seen:
        """The same tokens (count, C) before those of every image."""
        node = self.node(name, value)
        channels, _, after = self.builder.node(node).shape
        weights = Weights(np.ascontiguousarray(tokens.T), NONE)
        shape = (channels, 1, after + len(tokens))
        made = Node(name, "prepend", (node,), shape, constants=weights)
        return self.seen(self.builder.append(made), value)

    def mean(self, name: str, value: Seen) -> Seen:
        """The mean of all tokens or pixels, a single one."""
        made = self.builder.mean(name, self.node(name, value))
        return self._whole(made).moved(lambda places: places[:, :, 0, 0])

    def attention(self, name: str, queries: Seen, keys: Seen, values: Seen, factor: float) -> Seen:
        """softmax(queries keys^T factor) values of heads (N, heads, T, d), and such heads again."""
        found = self.scores(f"{name}.scores", queries, keys, heads_to_rows)
        detail = Factor(factor)
        chances = self.builder.activate(f"{name}.softmax", found, "softmax", detail)
        return self.context(f"{name}.context", chances, values)

    def products(self, name: str, one: Seen, other: Seen) -> str:
        """Queries (N, heads, T, d) times turned keys (N, heads, d, S): scores (heads, T, S)."""
        return self.scores(f"{name}.scores", one, other, turned_to_rows)

    def scores(self, name: str, queries: Seen, keys: Seen, how: ToRows) -> str:
        """Scores of heads; `how` brings the keys into rows."""
        heads = heads_of(name, queries, keys)
        one = self.rows(f"{name}.queries", queries, heads_to_rows)
        other = self.rows(f"{name}.keys", keys, how)
        (channels, _, tokens), (_, _, read) = (self.builder.node(n).shape for n in (one, other))
        layer = Layer(
            name,
            "scores",
            channels,
            heads,
            groups=heads,
            in_size=(1, tokens),
            out_size=(tokens, read),
        )
        return self._product(layer, (one, other))

    def context(self, name: str, chances: str, values: Seen) -> Seen:
        """Values summed by scores: heads (N, heads, T, d)."""
        heads, tokens, read = self.builder.node(chances).shape
        if values.places.ndim != 4 or values.places.shape[1:3] != (heads, read):
            raise ModelError(f"operation '{name}' does not multiply scores with values")
        node = self.rows(f"{name}.values", values, heads_to_rows)
        channels = self.builder.node(node).shape[0]
        layer = Layer(
            name,
            "context",
            heads,
            channels,
            groups=heads,
            in_size=(tokens, read),
            out_size=(1, tokens),
        )
        made = self._whole(self._product(layer, (chances, node)))
        return made.moved(lambda places: rows_to_heads(places, heads))

    def node(self, name: str, value: Seen) -> str:
        """The node that holds tokens (N, T, C), pixels (N, H, W, C), or a single one (N, C)."""
        if is_pixels(value):
            return value.source
        if value.places.ndim not in (2, 3):
            raise ModelError(f"'{name}' reads {value.places.ndim - 1} axes, not tokens")
        return self.rows(f"{name}_input", value, tokens_to_rows)

    def seen(self, node: str, like: Seen) -> Seen:
        """A node as tokens, pixels, or a single one, as `like`."""
        found = self._whole(node)
        if like.places.ndim == 4:
            return found.moved(image_to_pixels)
        if like.places.ndim == 2:
            return found.moved(lambda places: places[:, :, 0, 0])
        return found.moved(rows_to_tokens)

    def _norm(self, name: str, node: str, factor: Numbers) -> str:
        zeros = np.zeros(self.builder.node(node).shape[0])
        if factor.size not in (1, len(zeros)):
            raise ModelError(
                f"operation '{name}': of factors only a number, or one a channel, fits"
            )
        return self.builder.norm(name, node, Norm(zeros, zeros + factor.reshape(-1), zeros))

    def _whole(self, node: str) -> Seen:
        return whole(node, self.builder.node(node).shape)

    def _constant(
        self, name: str, op: Op, value: Seen, weights: Weights, detail: Detail | None = None
    ) -> Seen:
        node = self.node(name, value)
        shape = self.builder.node(node).shape
        made = Node(name, op, (node,), shape, None, detail, weights)
        return self.seen(self.builder.append(made), value)

    def rows(self, name: str, value: Seen, how: ToRows) -> str:
        """The channels and tokens that a value is, cut out of its node where that has more."""
        region = region_of(value, how(value.places))
        if region is None:
            raise ModelError(
                f"'{name}' has its axes in an order that is not supported: tokens are (N, T, C), "
                "heads (N, heads, T, C / heads)"
            )
        cut = self.builder.slice(f"{name}.channels", self._row(value), *region.channels)
        return self._take(f"{name}.tokens", cut, *region.tokens)

    def _row(self, value: Seen) -> str:
        """The node of a value with its pixels in one row."""
        if len(value.shape) != 3:
            raise ModelError(f"'{value.source}' is a vector, not tokens")
        name, (channels, height, width) = f"{value.source}.tokens", value.shape
        if height == 1 or name in self.builder.nodes:
            return value.source if height == 1 else name
        return self.builder.append(
            Node(name, "reshape", (value.source,), (channels, 1, height * width))
        )

    def _take(self, name: str, source: str, start: int, stop: int) -> str:
        """Tokens `start` up to `stop` of a row."""
        channels, _, tokens = self.builder.node(source).shape
        if (start, stop) == (0, tokens):
            return source
        shape, part = (channels, 1, stop - start), Tokens(start, stop)
        return self.builder.append(Node(name, "take", (source,), shape, detail=part))

    def _product(self, layer: Layer, sources: tuple[str, str]) -> str:
        """A product of attention."""
        channels = layer.groups if layer.op == "scores" else layer.c_out
        return self.builder.append(
            Node(layer.name, layer.op, sources, (channels, *layer.out_size), layer)
        )


def is_pixels(value: Seen) -> bool:
    """Whether a value is a whole image with its channels last."""
    return value.places.ndim == 4 and in_order(value.moved(pixels_to_image))


def heads_of(name: str, queries: Seen, keys: Seen) -> int:
    """Heads of queries and keys. Raises ModelError where they do not go together."""
    one, other = queries.places.shape, keys.places.shape
    if len(one) != 4 or len(other) != 4 or one[1] != other[1]:
        raise ModelError(f"operation '{name}' does not multiply queries and keys of heads")
    return int(one[1])
