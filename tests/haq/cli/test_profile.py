from __future__ import annotations

import json
from pathlib import Path

import pytest

from haq.board import read_profile
from tests.haq.cli.program import haq


def test_a_table_is_measured_checked_and_written(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("profile", "-o", "table.json", "--rounds", "5", "--checks", "4", *small, "--json")
    assert done.code == 0, done.err
    written = json.loads((cwd / "table.json").read_text())
    assert written == done.result
    table = read_profile(written)
    assert all(set(times) == {8, 16, 32} for times in table.layers.values())
    assert table.check is not None
    assert len(table.check.measured) == 4
    assert "4 random policies" in done.err
    assert [file.name for file in cwd.iterdir()] == ["table.json"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--cores", "fast", "expected numbers such as 4,5"),
        ("--cores", "1023", "core 1023 cannot be used here"),
        ("--board", "http://127.0.0.1:9", "no device agent answers"),
    ],
)
def test_bad_options_are_one_line(
    small: tuple[str, ...], cwd: Path, option: str, value: str, message: str
) -> None:
    done = haq("profile", "-o", "table.json", option, value, *small)
    assert done.code == 2
    assert message in done.err.splitlines()[-1]
    assert list(cwd.iterdir()) == []
