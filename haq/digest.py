"""SHA-256 of files, and as a header says it (RFC 9530)."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

CHUNK_BYTES = 2**20


def sha256_of(path: Path) -> str:
    """In hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def to_header(sha256: str) -> str:
    """The value of `Repr-Digest`."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def from_header(value: str) -> str | None:
    """Inverse of `to_header`; None where it says nothing of SHA-256."""
    found = re.search(r"sha-256=:([A-Za-z0-9+/]{43}=):", value)
    return base64.b64decode(found[1]).hex() if found else None
