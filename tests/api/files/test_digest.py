from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from api.files.digest import sha256_of
from haq.digest import from_header, to_header

EMPTY = hashlib.sha256(b"").hexdigest()


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for data in (b"", b"one", b"two"):
        file.write_bytes(data)
        os.utime(file, ns=(0, len(data) + data.count(b"t")))
        assert sha256_of(file) == hashlib.sha256(data).hexdigest()


def test_a_header_comes_back() -> None:
    assert to_header(EMPTY) == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert from_header(to_header(EMPTY)) == EMPTY
    assert from_header(f"md5=:AAAA:, {to_header(EMPTY)}") == EMPTY


@pytest.mark.parametrize("value", ["", EMPTY, "sha-256=:AAAA:", "sha-512=:" + "A" * 43 + "=:"])
def test_what_says_nothing_of_sha_256(value: str) -> None:
    assert from_header(value) is None
