"""Images to finetune on, and images held out to score what it brings."""

from __future__ import annotations

from typing import NamedTuple

from haq.data.built_in import BUILT_IN
from haq.data.images import Images
from haq.data.sources import load_images, parse_source
from quant.errors import DataError

HELD_OUT = 5
"""One row in this many is held out, the last ones."""


class Training(NamedTuple):
    """Two disjoint sets of labelled images."""

    images: Images
    held_out: Images


def load_training(data: str, test: str | None, side: int, channels: int | None = None) -> Training:
    """Images of `--data` to train on and those of `--test` to score on.

    `sample` trains on its 200 calibration images, `fashion-mnist` and `faces` on their training
    images; all three are scored on their test images. Of other rows the last fifth is held out.
    Rows may be chosen by `:FIRST-LAST`, of the training images. `channels` as in `load_images`.
    Raises DataError.
    """
    path, first, last = parse_source(data)
    if path not in BUILT_IN:
        images = load_images(data, side, channels)
        return cut(images) if test is None else Training(images, load_images(test, side, channels))
    images = BUILT_IN[path].training(side)
    if first is not None and last is not None:
        images = images.rows(first, last)
    held_out = load_images(test or path, side, channels)
    return Training(images.with_channels(channels), held_out)


def cut(images: Images) -> Training:
    """The last fifth of the rows held out."""
    if len(images) < HELD_OUT:
        raise DataError(f"a finetuning needs at least {HELD_OUT} images, got {len(images)}")
    kept = len(images) - len(images) // HELD_OUT
    return Training(images.rows(0, kept - 1), images.rows(kept, len(images) - 1))
