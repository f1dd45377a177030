from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.drivers.task import Found, Task, float_network, layer_names, run
from bench.peers.searches import write_task
from bench.peers.tools import Ask, Tool
from haq.prepare import load_network

TOOL = Tool("t", "t", (), {"size": Ask("bits", (4.0, 6.0), ((8, 8), (4, 8)))})


def search(task: Task) -> Iterator[Found]:
    for target in task.targets:
        time.sleep(0.05)
        yield Found(target, {"a": task.formats[0][0]}, {"a": None})


def test_a_driver_reads_its_task_and_times_its_policies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_task(TOOL, "size", tmp_path)
    monkeypatch.setattr(sys, "argv", ["driver", str(tmp_path), str(tmp_path / "out.json")])
    run(search)
    answer = json.loads((tmp_path / "out.json").read_text())
    first, second = answer["policies"]
    assert (first["target"], second["target"]) == (4.0, 6.0)
    assert (first["weight_bits"], first["activation_bits"]) == ({"a": 8}, {"a": None})
    assert first["seconds"] >= 0.05
    assert answer["seconds"] == pytest.approx(first["seconds"] + second["seconds"])
    assert answer["cpu_seconds"] >= 0


def test_layers_have_the_names_of_our_graph() -> None:
    graph = load_network("mbv2", None, 32, "torch")[1].graph
    assert layer_names(float_network()) == list(graph.layer_names)
