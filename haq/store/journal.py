"""An append-only file of JSON lines, which survives being cut anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from haq.store import durable
from quant.errors import InputError

Record = dict[str, Any]


class Journal:
    """Records in the order in which they were appended; a torn last line is dropped.

    Each write is on disk before the next one begins, so none but the last line can be torn.
    """

    def __init__(self, path: Path) -> None:
        """Open or begin a journal. Raises InputError where a line in the middle is broken."""
        self.path = path
        self.records: list[Record] = []
        self._is_named = False
        if path.is_file():
            self._read(path.read_bytes())

    def append(self, *records: Mapping[str, Any]) -> None:
        """Write lines at once and have them on disk before returning. Raises StorageError."""
        lines = [json.dumps(record, allow_nan=False) + "\n" for record in records]
        durable.append(self.path, "".join(lines).encode())
        if not self._is_named:
            durable.sync_folder(self.path.parent)
            self._is_named = True
        self.records += [dict(record) for record in records]

    def put(self, number: int, record: Mapping[str, Any]) -> None:
        """Append the record of this number, from 1, or see that it is there already.

        Raises InputError where another one is there.
        """
        if number > len(self.records):
            self.append(record)
        elif self.records[number - 1] != json.loads(json.dumps(record)):
            raise InputError(
                f"line {number} of {self.path} comes out otherwise now: go on with the versions "
                "of haq and its libraries, and on the kind of machine, with which it was begun"
            )

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
            with durable.writing(self.path):
                os.truncate(self.path, whole)


def parse(line: bytes) -> Record | None:
    """The record of a line, or None where it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
