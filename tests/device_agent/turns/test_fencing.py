from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_agent.turns import fencing
from device_agent.turns.fencing import BLOCK, Tokens
from quant.errors import InputError


def prepared(path: Path) -> Tokens:
    tokens = Tokens(path)
    tokens.prepare()
    return tokens


@given(st.lists(st.integers(1, 3 * BLOCK), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_tokens_grow_over_restarts(runs: list[int]) -> None:
    seen: list[int] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "lease_token"
        for length in runs:
            tokens = prepared(path)
            seen.extend(tokens.next() for _ in range(length))
            assert int(path.read_text()) >= seen[-1]
    assert seen[0] > 0
    assert all(first < second for first, second in pairwise(seen))


def test_the_number_is_on_the_disk_before_a_token_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = prepared(tmp_path / "lease_token")

    def fail(path: Path, text: str) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(fencing, "write_durably", fail)
        with pytest.raises(OSError, match="no space"):
            tokens.next()
    assert tokens.next() == 1


@pytest.mark.parametrize("text", ["", "many", "1.5"])
def test_a_file_without_a_number_stops_the_agent(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lease_token"
    path.write_text(text)
    with pytest.raises(InputError, match="holds no number"):
        prepared(path)


def test_what_a_killed_write_left_is_neither_read_nor_kept(tmp_path: Path) -> None:
    path = tmp_path / "lease_token"
    prepared(path).next()
    (tmp_path / ".partial-lease_token").write_text("9")
    tokens = prepared(path)
    assert tokens.next() == BLOCK + 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_another_process_gave_until_the_start_counts(tmp_path: Path) -> None:
    path = tmp_path / "lease_token"
    tokens = Tokens(path)
    before = prepared(path).next()
    tokens.prepare()
    assert tokens.next() > before


def test_no_token_is_given_before_the_file_was_read(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        Tokens(tmp_path / "lease_token").next()
