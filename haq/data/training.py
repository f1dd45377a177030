"""Images to finetune on, and images held out to score what it brings."""

from __future__ import annotations

from typing import NamedTuple

from haq.data import fashion_mnist
from haq.data.images import Images
from haq.data.sources import FASHION_MNIST, SAMPLE, load_images, parse_source
from quant.errors import DataError

HELD_OUT = 5
"""One row in this many is held out, the last ones."""


class Training(NamedTuple):
    """Two disjoint sets of labelled images."""

    images: Images
    held_out: Images


def load_training(data: str, test: str | None, side: int) -> Training:
    """Images of `--data` to train on and those of `--test` to score on.

    `sample` trains on its 200 calibration images, `fashion-mnist` on the training images; both are
    scored on their test images. Of other rows the last fifth is held out. Rows may be chosen by
    `:FIRST-LAST`, of the training images. Raises DataError.
    """
    path, first, last = parse_source(data)
    if path not in (SAMPLE, FASHION_MNIST):
        images = load_images(data, side)
        return cut(images) if test is None else Training(images, load_images(test, side))
    if path == SAMPLE:
        images = fashion_mnist.load_sample("calibration", side)
    else:
        images = fashion_mnist.load_full("train", side)
    if first is not None and last is not None:
        images = images.rows(first, last)
    return Training(images, load_images(test or path, side))


def cut(images: Images) -> Training:
    """The last fifth of the rows held out."""
    if len(images) < HELD_OUT:
        raise DataError(f"a finetuning needs at least {HELD_OUT} images, got {len(images)}")
    kept = len(images) - len(images) // HELD_OUT
    return Training(images.rows(0, kept - 1), images.rows(kept, len(images) - 1))
