"""Images that haq knows by name: what each part of them is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from haq.data import faces
from haq.data.fashion_mnist import load_full, load_sample
from haq.data.images import Images

FASHION_MNIST, SAMPLE, FACES = "fashion-mnist", "sample", "faces"
CALIBRATION = 500
VALIDATION = 2000
"""Rows of Fashion-MNIST's training and test images."""
Load = Callable[[int], Images]
"""Makes images of so many pixels a side."""


@dataclass(frozen=True)
class BuiltIn:
    """Parts of a set; `test` holds all that is scored where nothing is searched.

    `kept` are those of the test images that a search leaves for the end. `shape` is channels,
    classes and pixels a side.
    """

    shape: tuple[int, int, int]
    training: Load
    calibration: Load
    validation: Load
    kept: Load
    test: Load


def fashion_rows(split: str, first: int, last: int | None, side: int) -> Images:
    """Rows `first` to `last`, both included, of Fashion-MNIST on disk; None means to the end."""
    images = load_full(split, side)
    return images.rows(first, len(images) - 1 if last is None else last)


BUILT_IN: Mapping[str, BuiltIn] = {
    SAMPLE: BuiltIn(
        (1, 10, 32),
        training=partial(load_sample, "calibration"),
        calibration=partial(load_sample, "calibration"),
        validation=partial(load_sample, "validation"),
        kept=partial(load_sample, "test"),
        test=partial(load_sample, "test"),
    ),
    FASHION_MNIST: BuiltIn(
        (1, 10, 32),
        training=partial(load_full, "train"),
        calibration=partial(fashion_rows, "train", 0, CALIBRATION - 1),
        validation=partial(fashion_rows, "t10k", 0, VALIDATION - 1),
        kept=partial(fashion_rows, "t10k", VALIDATION, None),
        test=partial(load_full, "t10k"),
    ),
    FACES: BuiltIn(
        (3, len(faces.CLASSES), faces.SIDE),
        training=partial(faces.load_faces, "train"),
        calibration=partial(faces.load_faces, "calibration"),
        validation=partial(faces.load_faces, "validation"),
        kept=partial(faces.load_faces, "test"),
        test=partial(faces.load_faces, "test"),
    ),
}
