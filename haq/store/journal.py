"""An append-only file of JSON lines, which survives being cut anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quant.errors import InputError

Record = dict[str, Any]


class Journal:
    """Records in the order in which they were appended; a torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        """Open or begin a journal. Raises InputError where a line in the middle is broken."""
        self.path = path
        self.records: list[Record] = []
        if path.is_file():
            self._read(path.read_bytes())

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one line and have it on disk before returning."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with self.path.open("ab") as stream:
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())
        self.records.append(dict(record))

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def _read(self, data: bytes) -> None:
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), 1):
            record = parse(line)
            if record is None:
                raise InputError(
                    f"{self.path} is damaged at line {number}: remove the run folder or restore it"
                )
            self.records.append(record)
        if whole < len(data):
            os.truncate(self.path, whole)


def parse(line: bytes) -> Record | None:
    """The record of a line, or None where it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
