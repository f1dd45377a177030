"""A CSV table of images and their labels: columns `file` and `label`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from quant.errors import DataError

Entry = tuple[Path, int | None]
"""An image file and its class, None where it has none."""


def read_table(table: Path, labelled: bool = True, confined: bool = False) -> list[Entry]:
    """Entries in the order of the table; files are relative to its folder.

    Without `labelled` the column `label` may be missing. A `confined` table names no file outside
    of its folder. Raises DataError.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            records = csv.DictReader(stream)
            return [read_record(record, table, labelled, confined) for record in records]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}") from None


def read_record(
    record: Mapping[str, str | None], table: Path, labelled: bool, confined: bool
) -> Entry:
    """File and label of one row of a table. Raises DataError."""
    name, label = record.get("file"), record.get("label")
    if name is None or (label is None and labelled):
        raise DataError(f"{table} needs the columns file,label")
    root = table.parent.resolve()
    file = (root / name).resolve()
    if confined and not file.is_relative_to(root):
        raise DataError(f"{table} names a file outside its folder: {name}")
    return file, None if label is None else class_number(label, table)


def class_number(label: str, table: Path) -> int:
    """A label as a number. Raises DataError."""
    if not re.fullmatch(r"[0-9]{1,9}", label):
        raise DataError(
            f"{table}: label '{label}' is no class number: write the number, from 0, that the "
            "class has among the network's outputs"
        )
    return int(label)
