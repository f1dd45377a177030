from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.peers import searches
from bench.peers.environments import DONE, ToolError, call, find_python
from bench.peers.searches import read_found, search_all, search_one, write_task
from bench.peers.tools import TOOLS, Ask, SettingName, Tool

ASK = Ask("bits", (4.0, 6.0), ((8, 8), (4, 8)))
ABSENT = Tool("absent", "no_such_driver", (), {"board": ASK, "size": ASK})


def test_a_tool_that_fails_is_a_result_with_its_cause() -> None:
    found = search_one(ABSENT, "size", Path("nowhere"))
    assert (found.tool, found.setting, found.answer) == ("absent", "size", {})
    assert "exit code 1" in found.error
    assert "no_such_driver" in found.error


def test_known_searches_are_not_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[str] = []

    def run(tool: Tool, setting: SettingName, python: Path) -> dict[str, object]:
        ran.append(f"{tool.name} {setting}")
        if tool.name == "bad":
            raise ToolError("not here")
        return {"policies": []}

    tools = (ABSENT, Tool("bad", "bad", (), ABSENT.asks))
    monkeypatch.setattr(searches, "TOOLS", tools)
    monkeypatch.setattr(searches, "FOUND", tmp_path / "found.jsonl")
    monkeypatch.setattr(searches, "run_driver", run)
    first = list(search_all(tmp_path))
    assert [one.error for one in first] == ["", "not here"] * 2
    assert [(one.tool, one.error) for one in read_found()] == [(o.tool, o.error) for o in first]
    ran.clear()
    list(search_all(tmp_path))
    assert ran == ["bad board", "bad size"]


def test_all_tools_get_the_same_images(tmp_path: Path) -> None:
    write_task(ABSENT, "size", tmp_path)
    task = json.loads((tmp_path / "task.json").read_text())
    assert (task["setting"], task["targets"]) == ("size", [4.0, 6.0])
    assert task["formats"] == [[8, 8], [4, 8]]
    images = np.load(tmp_path / "calibration.npy")
    assert images.shape == (200, 1, 32, 32)
    assert images.dtype == np.float32
    assert len(np.load(tmp_path / "calibration_labels.npy")) == 200


def test_an_environment_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    tool = Tool("one", "one", ("some==1", "other"), {})
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / DONE).write_text("some==1\nother")
    assert find_python(tool, tmp_path) == tmp_path / "one" / "bin" / "python"


def test_the_last_line_says_why_a_command_failed() -> None:
    with pytest.raises(ToolError, match="exit code 3: the cause"):
        call(["sh", "-c", "echo before >&2; echo the cause >&2; exit 3"])


def test_every_tool_has_a_driver_and_a_few_targets() -> None:
    drivers = Path(searches.__file__).parent / "drivers"
    assert all((drivers / f"{tool.driver}.py").is_file() for tool in TOOLS)
    counts = [len(ask.targets) for tool in TOOLS if tool.requirements for ask in tool.asks.values()]
    assert all(3 <= count <= 4 for count in counts)
