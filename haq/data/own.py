"""Images from a function of the user's, which takes no arguments.

It returns one of

- an iterable of pairs (image, label), or of batches of them: a list, a generator, a torch
  DataLoader;
- what has a length and is indexed, giving such pairs: a torch Dataset;
- a pair of arrays, as a tuple: images (N, H, W), (N, H, W, C) or (N, C, H, W), and labels (N,) or
  masks (N, H, W).

What an image may be is in `haq.data.picture`, what a label in `haq.data.label`. Where no labels are
needed, images may come alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from haq.data.gather import Row
from haq.data.label import to_label
from haq.data.picture import to_picture
from haq.own_function import blaming, import_function
from quant.errors import DataError

BATCH_RANK = 4
"""Dimensions of several images in one array, (N, C, H, W)."""
NO_ITEMS = (str, bytes, dict)
END = object()


def load_own(name: str, first: int | None, last: int | None) -> Iterator[Row]:
    """Rows first..last, both included, of what the function `name` returns.

    Raises InputError where the function fails, DataError for what is no image or label.
    """
    start, stop = (0, None) if first is None or last is None else (first, last + 1)
    function = import_function(name)
    with blaming(name):
        returned = function()
    number = start - 1
    for number, item in enumerate(islice(safely(returned, name), start, stop), start):
        yield to_row(item, f"image {number} of {name}")
    if stop is not None and number + 1 < stop:
        raise DataError(f"{name} has no rows {first}-{last}")


def to_row(item: Any, name: str) -> Row:
    """A picture and its label from a pair, or from an image alone. Raises DataError."""
    image, label = item if is_pair(item) else (item, None)
    return to_picture(image, name), None if label is None else to_label(label, name)


def safely(returned: Any, name: str) -> Iterator[Any]:
    """Single items; an error on the way is the function's. Raises InputError."""
    with blaming(name):
        items = singly(items_of(returned, name))
    while True:
        with blaming(name):
            item = next(items, END)
        if item is END:
            return
        yield item


def items_of(returned: Any, name: str) -> Iterable[Any]:
    """What a function returned, to go through. Raises DataError."""
    if is_pair(returned) and isinstance(returned, tuple) and all(map(rank_of, returned)):
        return zip(*returned, strict=True)
    if hasattr(returned, "__iter__") and not isinstance(returned, NO_ITEMS):
        items: Iterable[Any] = returned
        return items
    if hasattr(returned, "__getitem__") and not isinstance(returned, NO_ITEMS):
        # A torch Dataset has a length, and need not say in another way that it has ended.
        return (returned[row] for row in range(len(returned)))
    raise DataError(
        f"{name} returns a {type(returned).__name__}: pairs (image, label), a Dataset or "
        "DataLoader of them, or a tuple of two arrays is needed"
    )


def singly(items: Iterable[Any]) -> Iterator[Any]:
    """Items of batches one by one."""
    for item in items:
        if is_pair(item) and rank_of(item[0]) == BATCH_RANK:
            yield from zip(*item, strict=True)
        elif rank_of(item) == BATCH_RANK:
            yield from item
        else:
            yield item


def is_pair(item: Any) -> bool:
    """Whether an item holds an image and its label."""
    return isinstance(item, (tuple, list)) and len(item) == 2


def rank_of(found: Any) -> int:
    """Dimensions of an array, 0 for what is none."""
    return int(getattr(found, "ndim", 0))
