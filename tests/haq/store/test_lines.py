from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from haq.store.lines import read_lines, write_lines
from quant.errors import InputError

RECORDS: list[dict[str, Any]] = [
    {"kind": "score", "key": "a" * 8, "data": {"kl": 1.5e-5}},
    {"kind": "latency", "text": "line\nbreak, \u2028 and café"},
    {},
]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    assert read_lines(path) == []
    write_lines(path, RECORDS)
    assert read_lines(path) == RECORDS


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\xfe", b"3", b"[1]", b"null", b'{"a": 1} x'])
def test_damage_is_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n{}\n")
    with pytest.raises(InputError, match=f"{path} is damaged at line 2: remove the run folder"):
        read_lines(path)
