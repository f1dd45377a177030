"""SHA-256 of files that are asked for again and again."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from haq import digest


def sha256_of(path: Path) -> str:
    """In hexadecimal; known files are not read again unless they have changed."""
    found = path.stat()
    return _sha256_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(4096)
def _sha256_of(path: Path, size_bytes: int, changed_ns: int) -> str:
    return digest.sha256_of(path)
