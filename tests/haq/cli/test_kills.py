from __future__ import annotations

from pathlib import Path

from tests.haq.cli.kills import kill

KILLS = 3
"""Of the thirty of `python -m tests.haq.cli.kills`."""


def test_killed_searches_come_to_the_same_end(tmp_path: Path) -> None:
    assert kill(tmp_path, KILLS, seed=1) >= 1
