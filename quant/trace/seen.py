"""Values of a node with their axes moved, as attention moves them, up to where they are tokens.

Transformers split, swap and take axes freely. So of such a value it is known where in its node each
number lies; whoever reads it looks whether these are tokens, or the heads of some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.errors import ModelError
from quant.trace.views import Shape

IMAGES = 2
"""Images of an example: with a single one, a view could mean several things."""
Places = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Seen:
    """A value whose numbers lie at `places` (N, ...) of the node `source`, flat (N * C * H * W).

    `shape` is that of the node for one image.
    """

    source: str
    shape: Shape
    places: Places

    def moved(self, how: Callable[[Places], Places]) -> Seen:
        """The value with its axes moved, or a part of it."""
        return replace(self, places=how(self.places))


def settled(value: Any) -> Any:
    """The node itself where a value's axes are in its order again; all else as it is."""
    return value.source if isinstance(value, Seen) and in_order(value) else value


def in_order(value: Seen) -> bool:
    """Whether a value is its node as it is."""
    same = value.places.shape[1:] == value.shape
    return same and np.array_equal(value.places, whole(value.source, value.shape).places)


def refused(value: Seen) -> ModelError:
    """What to say where a value is read whose axes were moved."""
    return ModelError(
        f"'{value.source}' is read with its axes moved, which is only supported among tokens and "
        "to shuffle channels"
    )


class Region(NamedTuple):
    """Channels and tokens of a node: ranges `start`..`stop`."""

    channels: tuple[int, int]
    tokens: tuple[int, int]


def whole(source: str, shape: Shape) -> Seen:
    """A node as it is."""
    count = int(np.prod((IMAGES, *shape)))
    return Seen(source, shape, np.arange(count, dtype=np.int32).reshape(IMAGES, *shape))


def region_of(seen: Seen, rows: Places) -> Region | None:
    """Where all of `rows` (N, C, T) lie, in order; None where they lie otherwise."""
    channels, *size = seen.shape
    flat = whole(seen.source, (channels, int(np.prod(size)))).places
    first_channel, first_token = divmod(int(rows[0, 0, 0]), flat.shape[2])
    of_channels = first_channel, first_channel + rows.shape[1]
    of_tokens = first_token, first_token + rows.shape[2]
    found = flat[:, slice(*of_channels), slice(*of_tokens)]
    return Region(of_channels, of_tokens) if np.array_equal(found, rows) else None


def tokens_to_rows(places: Places) -> Places:
    """(N, T, C), or (N, C) of a single token, as (N, C, T)."""
    return places.transpose(0, 2, 1) if places.ndim == 3 else places[:, :, None]


def rows_to_tokens(places: Places) -> Places:
    """(N, C, 1, T) as (N, T, C)."""
    return places[:, :, 0].transpose(0, 2, 1)


def pixels_to_image(places: Places) -> Places:
    """(N, H, W, C) as (N, C, H, W)."""
    return places.transpose(0, 3, 1, 2)


def image_to_pixels(places: Places) -> Places:
    """(N, C, H, W) as (N, H, W, C)."""
    return places.transpose(0, 2, 3, 1)


def heads_to_rows(places: Places) -> Places:
    """(N, heads, T, d) as (N, heads * d, T)."""
    return turned_to_rows(places.swapaxes(2, 3))


def turned_to_rows(places: Places) -> Places:
    """(N, heads, d, T) as (N, heads * d, T)."""
    return places.reshape(len(places), -1, places.shape[3])


def rows_to_heads(places: Places, heads: int) -> Places:
    """(N, C, 1, T) as (N, heads, T, C / heads)."""
    count, _, _, tokens = places.shape
    return places.reshape(count, heads, -1, tokens).swapaxes(2, 3)
