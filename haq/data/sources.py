"""From what the user typed after --data or --calibration to images."""

import re
from dataclasses import dataclass

from haq.data import fashion_mnist, folder
from haq.data.images import Images
from quant.errors import DataError

FASHION_MNIST = "fashion-mnist"
SAMPLE = "sample"
CALIBRATION_LIMIT = 100
FASHION_CALIBRATION = 500


@dataclass(frozen=True)
class Splits:
    """Three disjoint sets: for ranges, for the search, for the final test."""

    calibration: Images
    validation: Images
    test: Images


def load_images(source: str, side: int) -> Images:
    """Images of `PATH[:FIRST-LAST]`, of `fashion-mnist` (test images) or of the `sample` (test)."""
    path, first, last = parse_source(source)
    if path == SAMPLE:
        images = fashion_mnist.load_sample("test", side)
    elif path == FASHION_MNIST:
        images = fashion_mnist.load_full("t10k", side)
    else:
        return folder.load_folder(path, side, first, last)
    return images if first is None or last is None else images.rows(first, last)


def parse_source(source: str) -> tuple[str, int | None, int | None]:
    """Split `PATH:FIRST-LAST`; both numbers are row numbers, included."""
    match = re.fullmatch(r"(.+):(\d+)-(\d+)", source)
    if match is None:
        return source, None, None
    return match[1], int(match[2]), int(match[3])


def load_splits(data: str, calibration: str | None, side: int) -> Splits:
    """The three parts of a search.

    The packaged sample has its own. Fashion-MNIST on disk calibrates on 500 training images and
    takes 2,000 test images for validation. Other rows are cut 10 % / 50 % / 40 %, or 50 % / 50 %
    when `calibration` names images of its own.
    """
    if data == SAMPLE:
        parts = Splits(*(fashion_mnist.load_sample(part, side) for part in fashion_mnist.PARTS))
    elif data == FASHION_MNIST:
        t10k = fashion_mnist.load_full("t10k", side)
        train = fashion_mnist.load_full("train", side)
        parts = Splits(
            train.rows(0, FASHION_CALIBRATION - 1),
            t10k.rows(0, 1999),
            t10k.rows(2000, len(t10k) - 1),
        )
    else:
        parts = cut(load_images(data, side), with_calibration=calibration is None)
    if calibration is None:
        return parts
    return Splits(load_images(calibration, side), parts.validation, parts.test)


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

    Those that `calibration` names, else the packaged or training images of Fashion-MNIST, else the
    first rows of `images` (their labels are not used).
    """
    if calibration is not None:
        return load_images(calibration, side)
    if parse_source(data)[0] == SAMPLE:
        return fashion_mnist.load_sample("calibration", side)
    if parse_source(data)[0] == FASHION_MNIST:
        return fashion_mnist.load_full("train", side).rows(0, FASHION_CALIBRATION - 1)
    return images.rows(0, min(len(images), CALIBRATION_LIMIT) - 1)
