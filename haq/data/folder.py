"""Image folders: class subfolders (ImageFolder), or a `labels.csv` of `file,label`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from haq.data.table import Entry, read_table
from quant.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
SAVED = ("state.json", "dataset_dict.json")
"""One of these is in every folder that Hugging Face's `save_to_disk` has written."""


def list_folder(folder: Path, labelled: bool = True) -> list[Entry]:
    """Files and labels in a fixed order; images without classes if they need not be `labelled`.

    Raises DataError where there is nothing to read.
    """
    if not folder.is_dir():
        raise DataError(f"no such data folder: {folder}")
    if (folder / "labels.csv").is_file():
        entries = read_table(folder / "labels.csv", labelled, confined=True)
    else:
        entries = from_subfolders(folder)
    if not entries and not labelled:
        entries = [(file, None) for file in images_among(folder.iterdir())]
    if not entries:
        raise DataError(f"{folder} {what_is_missing(folder)}")
    return entries


def from_subfolders(folder: Path) -> list[Entry]:
    """One class a subfolder, numbered in sorted order, as torchvision's ImageFolder does."""
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    return [
        (file, label)
        for label, entry in enumerate(classes)
        for file in images_among(entry.rglob("*"))
    ]


def images_among(files: Iterable[Path]) -> list[Path]:
    """Those with an image's suffix, sorted."""
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES)


def what_is_missing(folder: Path) -> str:
    """Why a folder cannot be read, and what would help."""
    if any((folder / name).is_file() for name in SAVED):
        return f"was written by Hugging Face datasets: write hf:{folder}"
    if images_among(folder.iterdir()):
        return (
            "holds images without classes, which are for --calibration alone: class subfolders or "
            "a labels.csv of file,label are needed"
        )
    return "holds no images: class subfolders or a labels.csv of file,label are needed"
