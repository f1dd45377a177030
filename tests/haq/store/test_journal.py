from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.store import Journal
from quant.errors import InputError

RECORDS: list[dict[str, Any]] = [
    {"kind": "score", "key": "a" * 8, "data": {"kl": 1.5e-5}},
    {"kind": "latency", "text": "line\nbreak, \u2028 and café"},
    {"kind": "score", "nested": {"list": [1, None, True]}},
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def write(path: Path, records: list[dict[str, Any]]) -> Journal:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    return journal


@given(records=st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=4))
def test_what_was_appended_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    assert write(path, records).records == records
    assert list(Journal(path)) == records


def test_opening_alone_writes_nothing(tmp_path: Path) -> None:
    assert Journal(tmp_path / "journal.jsonl").records == []
    assert list(tmp_path.iterdir()) == []


def test_a_cut_at_any_byte_leaves_the_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, RECORDS)
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = content[:cut].count(b"\n")
        assert Journal(path).records == RECORDS[:whole]
        write(path, [{"after": cut}])
        assert Journal(path).records == [*RECORDS[:whole], {"after": cut}]


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\xfe", b"3", b"[1]", b"null", b'{"a": 1} x'])
def test_damage_in_the_middle_is_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(InputError, match=r"journal\.jsonl is damaged at line 2"):
        Journal(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_not_written(value: float, tmp_path: Path) -> None:
    journal = write(tmp_path / "journal.jsonl", RECORDS)
    with pytest.raises(ValueError, match="JSON"):
        journal.append({"kl": value})
    assert Journal(tmp_path / "journal.jsonl").records == journal.records == RECORDS


def test_several_records_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, writes = Journal(tmp_path / "journal.jsonl"), list[bytes]()
    monkeypatch.setattr("haq.store.durable.append", lambda path, data: writes.append(data))
    journal.append(*RECORDS)
    assert len(writes) == 1
    assert journal.records == RECORDS


def test_the_name_of_a_new_journal_is_on_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("haq.store.durable.sync_folder", synced.append)
    write(tmp_path / "journal.jsonl", RECORDS)
    assert synced == [tmp_path]


def test_a_record_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for number, record in enumerate(RECORDS, 1):
        write(path, []).put(number, record)
    before = path.read_bytes()
    write(path, []).put(2, {**RECORDS[1], "text": RECORDS[1]["text"]})
    assert path.read_bytes() == before
    with pytest.raises(InputError, match=r"line 2 of .*journal\.jsonl comes out otherwise now"):
        write(path, []).put(2, {"kind": "other"})
