"""Values seen in shapes that are no image and no vector, up to where they become one again."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class View:
    """A node's value in another shape (of one image); read as it is, no operation knows it.

    With `groups` its channels were split into so many groups, and these became the second axis.
    """

    source: str
    shape: Shape
    groups: int = 0


def numbers_of(shape: Shape) -> tuple[Shape, ...]:
    """Shapes that have a number a channel, a pixel, a column or a row of an image (C, H, W)."""
    if len(shape) != 3:
        return ()
    channels, height, width = shape
    return (channels, 1, 1), (1, height, width), (channels, 1, width), (channels, height, 1)


def is_flattening(shape: Shape, wanted: Shape) -> bool:
    """Whether an image becomes a vector, or a vector an image of one pixel.

    An image of one row may become one of one column, too, and back.
    """
    if len(shape) == 3:
        channels, height, width = shape
        turned = (channels, width, height) if 1 in (height, width) else ()
        return wanted in ((prod(shape),), turned)
    return len(shape) == 1 and wanted == (*shape, 1, 1)


def shows_pixel(shape: Shape, wanted: Shape) -> bool:
    """Whether an image of one pixel is only seen as a vector: then nothing has to be done."""
    return shape[1:] == (1, 1) and wanted == shape[:1]


def dealt_groups(view: View, shape: Shape, order: Shape) -> int:
    """Groups of a shuffle that begins when the axes of `view` are put in `order`, batch first.

    `shape` is that of the node. 0 where this is another transposition: ShuffleNet (Zhang et al.
    2018) views (C, H, W) as (groups, C / groups, H, W), swaps these two and flattens them.
    """
    swaps = order == (0, 2, 1, *range(3, len(order))) and len(view.shape) >= 3
    splits = len(shape) == 3 and prod(view.shape[:2]) == shape[0]
    pixels = view.shape[2:] in (shape[1:], (prod(shape[1:]),))
    return view.shape[0] if swaps and splits and pixels and not view.groups else 0
