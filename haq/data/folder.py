"""Image folders: class subfolders (ImageFolder), or a `labels.csv` of `file,label`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from haq.data.images import Images
from quant.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
Row = tuple[Path, int]


def load_folder(path: str, side: int, first: int | None, last: int | None) -> Images:
    """Decode the asked rows of a folder; every image must be `side` x `side` pixels."""
    rows = select(list_rows(Path(path)), first, last, path)
    decoded = [decode(file, side) for file, _ in rows]
    if len({image.shape for image in decoded}) > 1:
        raise DataError(f"{path} mixes grey and colour images: convert them to one kind")
    return Images(np.stack(decoded), np.array([label for _, label in rows], np.int64))


def list_rows(folder: Path) -> list[Row]:
    """Files and labels in a fixed order. Raises DataError when there is nothing to read."""
    if not folder.is_dir():
        raise DataError(f"no such data folder: {folder}")
    rows = from_csv(folder) if (folder / "labels.csv").is_file() else from_subfolders(folder)
    if not rows:
        raise DataError(
            f"{folder} holds no images: class subfolders or a labels.csv of file,label are needed"
        )
    return rows


def select(rows: list[Row], first: int | None, last: int | None, name: str) -> list[Row]:
    """Rows first..last, both included."""
    if first is None or last is None:
        return rows
    if not first <= last < len(rows):
        raise DataError(f"{name} has rows 0-{len(rows) - 1}, not {first}-{last}")
    return rows[first : last + 1]


def from_csv(folder: Path) -> list[Row]:
    """Rows of labels.csv, in its order; files are relative to the folder."""
    table = folder / "labels.csv"
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            return [read_record(record, table) for record in csv.DictReader(stream)]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}") from None


def read_record(record: Mapping[str, str | None], table: Path) -> Row:
    """File and label of one row of a table. Raises DataError."""
    name, label = record.get("file"), record.get("label")
    if name is None or label is None:
        raise DataError(f"{table} needs the columns file,label")
    root = table.parent.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise DataError(f"{table} names a file outside its folder: {name}")
    if not re.fullmatch(r"[0-9]{1,9}", label):
        raise DataError(f"{table}: label '{label}' is no class number")
    return file, int(label)


def from_subfolders(folder: Path) -> list[Row]:
    """One class a subfolder, numbered in sorted order, as torchvision's ImageFolder does."""
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    return [
        (file, label)
        for label, entry in enumerate(classes)
        for file in sorted(entry.rglob("*"))
        if file.suffix.lower() in SUFFIXES
    ]


def decode(file: Path, side: int) -> NDArray[np.uint8]:
    """uint8 (C, side, side), C-contiguous: grey stays one channel, all else becomes RGB."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except FileNotFoundError:
        raise DataError(f"no such image: {file}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for a PNG with a broken chunk.
        raise DataError(f"{file} is not a readable image: {error}") from None
    if pixels.shape[:2] != (side, side):
        raise DataError(
            f"{file} is {pixels.shape[1]}x{pixels.shape[0]} pixels, the network takes {side}x{side}"
        )
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)
