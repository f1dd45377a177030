"""Data sets of Hugging Face's `datasets`, by name or from a folder of `save_to_disk`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from haq.data.gather import Row
from haq.data.label import to_label
from haq.data.picture import to_picture
from haq.own_function import blaming
from quant.errors import DataError

PREFIX = "hf:"
LEAST_VERSION = (5, 2)
"""Runs no code of a data set and reads no pickles."""
LABELS = ("label", "labels", "mask")


def load_hugging_face(source: str, first: int | None, last: int | None) -> Iterator[Row]:
    """Rows first..last, both included, of `hf:NAME[:SPLIT]`, where NAME may be a folder.

    Raises DataError.
    """
    name, _, split = source.removeprefix(PREFIX).partition(":")
    table = open_split(name, split or None, source)
    image, label = columns_of(table, source)
    start, stop = (0, len(table)) if first is None or last is None else (first, last + 1)
    if not start < stop <= len(table):
        raise DataError(f"{source} has rows 0-{len(table) - 1}, not {first}-{last}")
    for row in range(start, stop):
        called = f"image {row} of {source}"
        with blaming(called, "cannot be read"):
            record = table[row]
        found = None if label is None else to_label(record[label], called)
        yield to_picture(record[image], called), found


def open_split(name: str, split: str | None, source: str) -> Any:
    """The rows of one split. Raises DataError."""
    library = find_library()
    with blaming(source, "cannot be loaded"):
        found = library.load_from_disk(name) if Path(name).is_dir() else library.load_dataset(name)
    if not isinstance(found, dict):
        if split is not None:
            raise DataError(f"{source}: the folder holds no splits, leave out :{split}")
        return found
    splits = list(found)
    chosen = splits[0] if split is None and len(splits) == 1 else split
    if chosen not in found:
        raise DataError(f"{source}: choose a split, {PREFIX}{name}:{' or :'.join(splits)}")
    return found[chosen]


def find_library() -> Any:
    """The package `datasets`. Raises DataError where it is not installed, or too old."""
    try:
        library = import_module("datasets")
        found = tuple(int(part) for part in library.__version__.split(".")[:2])
    except (ModuleNotFoundError, AttributeError):
        # A folder of that name in the working directory is imported too, but has no version.
        raise DataError("datasets is not installed: pip install 'haq[hf]'") from None
    if found < LEAST_VERSION:
        raise DataError(f"datasets {library.__version__} is too old: pip install 'haq[hf]'")
    return library


def columns_of(table: Any, source: str) -> tuple[str, str | None]:
    """The columns of images and of labels, None if there is none. Raises DataError.

    Images are the first column of that kind. Labels are the first column of classes, else the one
    that is called label, labels or mask.
    """
    kinds = {name: type(feature).__name__ for name, feature in table.features.items()}
    image = next((name for name, kind in kinds.items() if kind == "Image"), None)
    if image is None:
        raise DataError(f"{source} has no column of images, only {', '.join(kinds)}")
    classes = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    named = [name for name in LABELS if name in kinds and name != image]
    return image, next(iter([*classes, *named]), None)
