"""Answers that were measured before under the same conditions, kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from device_agent.models.files import PARTIAL_PREFIX, settle

KEPT = 20_000
"""Answers that are kept; at 2 kB each they need 40 MB. The oldest go first."""


class Cache:
    """A folder of JSON answers, each named by the SHA-256 of the question."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self.folder, self.kept = folder, kept

    def prepare(self) -> None:
        """Make the folder, and remove what an agent killed while writing left behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"{PARTIAL_PREFIX}*"):
            leftover.unlink(missing_ok=True)

    def find(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to a question, or None; one that cannot be read counts as absent."""
        try:
            return dict(json.loads(self._path(question).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Remember an answer."""
        with NamedTemporaryFile(dir=self.folder, prefix=PARTIAL_PREFIX, delete=False) as partial:
            try:
                partial.write(json.dumps(answer).encode())
                settle(partial, self._path(question))
            finally:
                Path(partial.name).unlink(missing_ok=True)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Make room; a tenth at once, so that the folder is not read for every new answer."""
        found = list(self.folder.iterdir())
        if len(found) <= self.kept:
            return
        for path in sorted(found, key=written_ns)[: len(found) - self.kept * 9 // 10]:
            path.unlink(missing_ok=True)

    def _path(self, question: Mapping[str, Any]) -> Path:
        text = json.dumps(question, sort_keys=True).encode()
        return self.folder / hashlib.sha256(text).hexdigest()


def written_ns(path: Path) -> int:
    """When a file was written."""
    return path.stat().st_mtime_ns
