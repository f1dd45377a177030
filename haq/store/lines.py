"""JSON lines: one record a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from haq.store.run_folder import read_bytes, write_bytes
from quant.errors import InputError

Record = dict[str, Any]


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file, whole or not at all. Raises StorageError."""
    lines = (json.dumps(record, allow_nan=False) + "\n" for record in records)
    write_bytes(path, "".join(lines).encode())


def read_lines(path: Path) -> list[Record]:
    """The records, none where there is no file. Raises InputError for a damaged one."""
    if not path.is_file():
        return []
    records = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        record = parse(line)
        if record is None:
            raise InputError(
                f"{path} is damaged at line {number}: remove the run folder or restore it"
            )
        records.append(record)
    return records


def parse(line: bytes) -> Record | None:
    """The record of a line, or None where it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
