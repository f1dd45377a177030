"""Searches of all tools, each in a process of its own; what is known is not run again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.peers.environments import ToolError, call, find_python
from bench.peers.tools import SETTINGS, TOOLS, SettingName, Tool
from haq.data import load_splits, normalise
from haq.store.lines import read_lines

FOUND = Path(__file__).with_name("found.jsonl")


@dataclass(frozen=True)
class Searched:
    """What a tool found in a setting, or the `error` that it ended with.

    `answer` is what its driver wrote; `load` the machine's load average over a minute when it
    began and when it ended, of which its own processes are a part.
    """

    tool: str
    setting: SettingName
    answer: dict[str, Any]
    load: tuple[float, float]
    error: str = ""


def search_all(venvs: Path) -> Iterator[Searched]:
    """All searches, one after another; those that failed before are tried again."""
    known = {(one.tool, one.setting): one for one in read_found() if not one.error}
    for setting in SETTINGS:
        for tool in TOOLS:
            if setting not in tool.asks:
                continue
            if (tool.name, setting) not in known:
                known[tool.name, setting] = search_one(tool, setting, venvs)
                append(known[tool.name, setting])
            yield known[tool.name, setting]


def search_one(tool: Tool, setting: SettingName, venvs: Path) -> Searched:
    """One tool, whose failure is a result too."""
    before = os.getloadavg()[0]
    try:
        answer = run_driver(tool, setting, find_python(tool, venvs))
    except ToolError as error:
        return Searched(tool.name, setting, {}, (before, os.getloadavg()[0]), str(error))
    return Searched(tool.name, setting, answer, (before, os.getloadavg()[0]))


def run_driver(tool: Tool, setting: SettingName, python: Path) -> dict[str, Any]:
    """The answer of a driver, with the seconds of its whole process. Raises ToolError."""
    with TemporaryDirectory(prefix="haq-peers-") as name:
        folder = Path(name)
        write_task(tool, setting, folder)
        started = time.perf_counter()
        module = f"bench.peers.drivers.{tool.driver}"
        call([str(python), "-m", module, str(folder), str(folder / "answer.json")])
        answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
        return {**answer, "process_seconds": time.perf_counter() - started}


def write_task(tool: Tool, setting: SettingName, folder: Path) -> None:
    """What `bench.peers.drivers.task` reads: the packaged images, the same for all."""
    ask, splits = tool.asks[setting], load_splits("sample", None, 32)
    task = {"setting": setting, **asdict(ask)}
    (folder / "task.json").write_text(json.dumps(task))
    np.save(folder / "calibration.npy", normalise(splits.calibration.pixels))
    np.save(folder / "calibration_labels.npy", splits.calibration.labels)
    np.save(folder / "validation.npy", normalise(splits.validation.pixels))


def read_found() -> list[Searched]:
    """What is known."""
    return [Searched(**record) for record in read_lines(FOUND)]


def append(searched: Searched) -> None:
    """Keep a search."""
    with FOUND.open("a") as file:
        file.write(json.dumps(asdict(searched)) + "\n")
