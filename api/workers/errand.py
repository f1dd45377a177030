"""What a child process is told, and what it says: one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from haq.search.asked import Asked

Ending = Literal["done", "failed", "again"]
"""`again`: nothing is wrong with the search, and it can go on later."""


@dataclass(frozen=True)
class Errand:
    """A search to carry out: its id, what was asked, and the names of its boards."""

    job_id: str
    asked: Asked
    boards: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        """JSON and a line break."""
        return json.dumps(asdict(self), default=str).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Errand:
        """Inverse of `to_line`."""
        found = json.loads(line)
        return cls(found["job_id"], asked_from(found["asked"]), tuple(found["boards"]))


def asked_from(data: Mapping[str, Any]) -> Asked:
    """What was asked, from JSON."""
    paths = {
        name: None if data.get(name) is None else Path(data[name])
        for name in ("weights", "table", "energy_table")
    }
    return Asked(**{**data, **paths, "budget": tuple(data.get("budget", ()))})
