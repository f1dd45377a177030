from __future__ import annotations

import json
from pathlib import Path

from bench.peers.plots import plot_setting
from bench.peers.searches import Searched
from bench.peers.summary import faster, summarise
from bench.peers.table import write_table
from bench.peers.tools import SettingName
from tests.bench.peers.points import point

POINTS = [
    point("float", 0.0, 1.0, target=None),
    point("haq", 0.01, 0.9),
    point("AIMET", 0.02, 0.95),
]


def searched(tool: str, seconds: float, setting: SettingName = "board") -> Searched:
    policies = [{"target": 1.0, "seconds": seconds / 2, "cpu_seconds": seconds / 4}]
    times = {"seconds": seconds, "cpu_seconds": seconds, "process_seconds": seconds + 5}
    return Searched(tool, setting, {"policies": policies, **times}, (0.5, 1.5))


SEARCHED = [
    searched("haq", 100),
    searched("AIMET", 200),
    searched("AIMET", 1, "size"),
    Searched("MCT", "board", {}, (0.5, 0.6), "exit code 1: no such module"),
]


def test_times_and_failures_of_the_setting() -> None:
    found = json.loads(json.dumps(summarise("board", POINTS, SEARCHED)))
    assert set(found["searches"]) == {"haq", "AIMET", "MCT"}
    assert found["searches"]["AIMET"]["seconds"] == 200
    assert found["searches"]["AIMET"]["first_seconds"] == 100
    assert found["searches"]["MCT"]["error"] == "exit code 1: no such module"
    assert found["faster"]["all, seconds"]
    assert found["faster"]["one, seconds"] is None
    assert not found["dominated"]


def test_dominated_only_where_someone_is_better() -> None:
    worse = [*POINTS, point("haq", 0.5, 0.955)]
    found = summarise("board", worse, SEARCHED)
    assert (found["dominated"], found["surely_dominated"]) == (True, False)


def test_all_are_compared_with_all_and_one_bound_with_the_first() -> None:
    found = faster([searched("haq", 300), searched("haq, one bound", 80), searched("AIMET", 200)])
    assert found == {
        "all, seconds": False,
        "all, cpu_seconds": False,
        "one, seconds": True,
        "one, cpu_seconds": False,
        "planned, seconds": None,
        "planned, cpu_seconds": None,
    }


def test_a_failed_search_is_not_compared() -> None:
    assert set(faster([searched("haq", 1)]).values()) == {None}


def test_the_table_has_every_point_and_failure() -> None:
    text = write_table({"board": summarise("board", POINTS, SEARCHED)})
    assert (
        "| haq | 1 of float's latency | 0.00 | 1.00e-02 | 0.900 (0.890-0.910) | 0.00 | 100 (100) |"
        in text
    )
    assert "MCT failed: exit code 1: no such module" in text
    assert text.count("\n| ") == len(POINTS)


def test_the_picture_names_every_tool(tmp_path: Path) -> None:
    plot_setting("board", POINTS, tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert all(f"<!-- {name} -->" in text for name in ("float", "haq", "AIMET"))
