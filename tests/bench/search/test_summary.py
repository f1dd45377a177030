from __future__ import annotations

from pathlib import Path

from bench.search.equal import Run
from bench.search.plots import plot_runs
from bench.search.summary import summarise

RUNS = [
    Run("size", "random", 0, 0.0, [4.0, 2.0], 1.0),
    Run("size", "random", 1, 0.0, [5.0, 3.0], 1.0),
    Run("size", "ilp", 0, 1.0, [1.0], 0.5),
]


def test_medians_and_ranges_over_seeds() -> None:
    found = summarise(RUNS, (1, 2))["size"]
    assert found["best_known_kl"] == 1.0
    random, ilp = found["contenders"]["random"], found["contenders"]["ilp"]
    assert random["kl"]["1"] == {"least": 4.0, "median": 4.5, "largest": 5.0}
    assert random["evaluations_to_best"]["median"] is None
    assert ilp["kl"]["1"]["median"] is None
    assert ilp["kl"]["2"]["median"] == 1.0
    assert ilp["evaluations_to_best"]["median"] == 2.0
    assert random["seeds"] == 2


def test_the_picture_has_a_panel_a_setting(tmp_path: Path) -> None:
    plot_runs([*RUNS, Run("board", "random", 0, 0.0, [1.0], 1.0)], tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert text.count('id="axes_') == 2
