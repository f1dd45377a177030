"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT licence): full set on disk, packaged sample."""

import gzip
import os
import zlib
from importlib.resources import files
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from haq.data.images import Images
from quant.errors import DataError

FOLDERS = (
    Path("/usr/share/datasets/fashion-mnist"),
    Path.home() / ".cache" / "haq" / "fashion-mnist",
)
FOLDER_VARIABLE = "HAQ_FASHION_MNIST"
SAMPLE = Path(str(files("haq.data"))) / "sample" / "fashion_mnist.npz"
PARTS = ("calibration", "validation", "test")
IMAGE_MAGIC, LABEL_MAGIC = 0x803, 0x801


def find_folder() -> Path | None:
    """Folder with the four idx files, or None."""
    named = os.environ.get(FOLDER_VARIABLE)
    candidates = (Path(named), *FOLDERS) if named else FOLDERS
    return next((f for f in candidates if (f / "train-images-idx3-ubyte.gz").is_file()), None)


def load_full(split: str, side: int = 32) -> Images:
    """All images of `train` (60,000) or `t10k` (10,000), zero-padded from 28 to `side` pixels."""
    folder = find_folder()
    if folder is None:
        raise DataError(
            "Fashion-MNIST was not found: install Debian's dataset-fashion-mnist, or put its four "
            f"files in a folder and name it in {FOLDER_VARIABLE}"
        )
    pixels = read_idx(folder / f"{split}-images-idx3-ubyte.gz", IMAGE_MAGIC, (28, 28))
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz", LABEL_MAGIC, ())
    return Images(pixels[:, None], labels.astype(np.int64)).padded(side)


def read_idx(path: Path, magic: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """uint8 (N, *shape) of a gzipped idx file. Raises DataError if it is no such file."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    header = np.frombuffer(raw, ">u4", count=min(2 + len(shape), len(raw) // 4))
    payload = raw[4 * (2 + len(shape)) :]
    count, rest = divmod(len(payload), prod(shape))
    if rest or header.tolist() != [magic, count, *shape]:
        raise DataError(f"{path} is not an idx file of the expected shape")
    return np.frombuffer(payload, np.uint8).reshape(-1, *shape)


def load_sample(part: str, side: int = 32) -> Images:
    """A packaged part: `calibration` (200, from train), `validation` (1,000), `test` (2,000)."""
    with np.load(SAMPLE, allow_pickle=False) as arrays:
        return Images(
            arrays[f"{part}_images"][:, None], arrays[f"{part}_labels"].astype(np.int64)
        ).padded(side)


def make_sample(path: Path, sizes: tuple[int, int, int] = (200, 1000, 2000), seed: int = 0) -> None:
    """Write the packaged sample: class-balanced, calibration from train, the rest from t10k."""
    rng = np.random.default_rng(seed)
    train, t10k = load_full("train", 28), load_full("t10k", 28)
    calibration = balanced_rows(train.labels, sizes[0], rng)
    scored = balanced_rows(t10k.labels, sizes[1] + sizes[2], rng)
    chosen = {
        "calibration": (train, calibration),
        "validation": (t10k, scored[: sizes[1]]),
        "test": (t10k, scored[sizes[1] :]),
    }
    arrays = {}
    for part, (images, rows) in chosen.items():
        arrays[f"{part}_images"] = images.pixels[rows, 0]
        arrays[f"{part}_labels"] = images.labels[rows].astype(np.uint8)
    np.savez_compressed(path, **arrays)


def balanced_rows(
    labels: np.ndarray[tuple[int], np.dtype[np.int64]], count: int, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`count` rows, the classes taking turns, so that each prefix is balanced too."""
    classes = np.unique(labels)
    each = [rng.permutation(np.flatnonzero(labels == c))[: count // len(classes)] for c in classes]
    return np.stack(each, axis=1).reshape(-1)
