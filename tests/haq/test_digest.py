import hashlib
from pathlib import Path

import pytest

from haq.digest import CHUNK_BYTES, from_header, sha256_of, to_header

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_file_of_any_size(size: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * size)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"a" * size).hexdigest()


def test_the_header_of_rfc_9530() -> None:
    said = to_header(EMPTY)
    assert said == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert from_header(f"md5=:AA==:, {said}") == EMPTY


@pytest.mark.parametrize("value", ["", "sha-256=47DEQ", "md5=:AA==:"])
def test_what_says_nothing(value: str) -> None:
    assert from_header(value) is None
