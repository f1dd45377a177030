"""From what the user typed after --data or --calibration to images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from haq.data.built_in import BUILT_IN
from haq.data.folder import list_folder
from haq.data.gather import Row, gather
from haq.data.hugging_face import PREFIX, load_hugging_face
from haq.data.images import Images
from haq.data.own import load_own
from haq.data.picture import read_picture
from haq.data.table import Entry, read_table
from haq.own_function import is_function_name
from quant.errors import DataError

CALIBRATION_LIMIT = 100


@dataclass(frozen=True)
class Splits:
    """Three disjoint sets: for ranges, for the search, for the final test."""

    calibration: Images
    validation: Images
    test: Images

    def with_channels(self, channels: int | None) -> Splits:
        """Grey images repeated for three channels."""
        parts = self.calibration, self.validation, self.test
        return Splits(*(part.with_channels(channels) for part in parts))


def load_images(
    source: str, side: int, channels: int | None = None, labelled: bool = True
) -> Images:
    """Images of a source, perhaps with rows `:FIRST-LAST`, both included, as a network takes them.

    A source is `sample`, `fashion-mnist` or `faces` (their test images), a folder, a table
    `FILE.csv`, `hf:NAME[:SPLIT]` or a function `package.module:loader`. What is on disk is never
    run.
    `channels` are the network's, None takes those of the images. Raises DataError, InputError.
    """
    path, first, last = parse_source(source)
    if path in BUILT_IN:
        images = BUILT_IN[path].test(side).with_channels(channels)
        return images if first is None or last is None else images.rows(first, last)
    rows = open_rows(path, first, last, labelled)
    return gather(rows, path, side, channels, labelled)


def open_rows(path: str, first: int | None, last: int | None, labelled: bool) -> Iterator[Row]:
    """Rows first..last of a source without any of its own, decoded as they are asked for."""
    if path.startswith(PREFIX):
        return load_hugging_face(path, first, last)
    if is_function_name(path) and not Path(path).exists():
        return load_own(path, first, last)
    if path.endswith(".csv") and not Path(path).is_dir():
        entries = read_table(Path(path), labelled)
    else:
        entries = list_folder(Path(path), labelled)
    return decode(select(entries, first, last, path))


def decode(entries: list[Entry]) -> Iterator[Row]:
    """Each file's picture with its label."""
    return ((read_picture(file, str(file)), label) for file, label in entries)


def select(entries: list[Entry], first: int | None, last: int | None, name: str) -> list[Entry]:
    """Entries first..last, both included. Raises DataError outside of them."""
    if first is None or last is None:
        return entries
    if not first <= last < len(entries):
        raise DataError(f"{name} has rows 0-{len(entries) - 1}, not {first}-{last}")
    return entries[first : last + 1]


def parse_source(source: str) -> tuple[str, int | None, int | None]:
    """Split `PATH:FIRST-LAST`; both numbers are row numbers, included."""
    match = re.fullmatch(r"(.+):(\d+)-(\d+)", source)
    if match is None:
        return source, None, None
    return match[1], int(match[2]), int(match[3])


def load_splits(
    data: str, calibration: str | None, side: int, channels: int | None = None
) -> Splits:
    """The three parts of a search.

    The packaged sample and the faces have their own. Fashion-MNIST on disk calibrates on 500
    training images and takes 2,000 test images for validation. Other rows are cut 10 % / 50 % /
    40 %, or 50 % / 50 % when `calibration` names images of its own.
    """
    if data in BUILT_IN:
        found = BUILT_IN[data]
        parts = Splits(found.calibration(side), found.validation(side), found.kept(side))
    else:
        parts = cut(load_images(data, side, channels), with_calibration=calibration is None)
    parts = parts.with_channels(channels)
    if calibration is None:
        return parts
    own = load_images(calibration, side, channels, labelled=False)
    return Splits(own, parts.validation, parts.test)


def cut(images: Images, with_calibration: bool) -> Splits:
    """Cut rows in order: calibration (a tenth, 100 at most), validation, test."""
    if len(images) < 10:
        raise DataError(f"a search needs at least 10 images, got {len(images)}")
    start = min(len(images) // 10, CALIBRATION_LIMIT) if with_calibration else 0
    middle = start + (len(images) - start) * 5 // 9 if with_calibration else len(images) // 2
    return Splits(
        images.rows(0, max(start - 1, 0)),
        images.rows(start, middle - 1),
        images.rows(middle, len(images) - 1),
    )


def load_calibration(data: str, calibration: str | None, images: Images, side: int) -> Images:
    """Images for activation ranges when `images` of `data` are to be scored.

    Those that `calibration` names, else those of the set that haq knows by this name, else the
    first rows of `images` (their labels are not used).
    """
    channels, name = images.pixels.shape[1], parse_source(data)[0]
    if calibration is not None:
        return load_images(calibration, side, channels, labelled=False)
    if name in BUILT_IN:
        return BUILT_IN[name].calibration(side).with_channels(channels)
    return images.rows(0, min(len(images), CALIBRATION_LIMIT) - 1)
