"""haq itself: one sweep, by whole searches as `haq search` runs them, reports excepted.

Targets on the board are a number of bounds, spread from the least reachable latency to float; else
they are shares of the float network's bytes. What else it takes is read from the packaged sample,
whose images the others get, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers.drivers.task import Found, Task, run
from haq.local_board import local_agent
from haq.progress import Silent
from haq.search.bounds import Bounds
from haq.search.request import SearchRequest
from haq.search.run import load_subject
from haq.search.sweep import sweep_subject
from haq.store import RunFolder
from haq.store.run_folder import read_json
from quant.policy import Policy

EPISODES = 120
"""Of each bound, the default."""


def search(task: Task) -> Iterator[Found]:
    """All of a sweep, the tightest bound first; it knows nothing from before."""
    with TemporaryDirectory(prefix="haq-peers-") as folder:
        os.environ["HAQ_CACHE"] = str(Path(folder) / "cache")
        request = make_request(task)
        with local_agent() as board:
            run_folder = RunFolder(Path(folder) / "run", "mbv2")
            summary = sweep_subject(request, *load_subject(request), run_folder, board, Silent())
        for entry in summary["front"]:
            policy = Policy.from_json(read_json(Path(entry["run"]) / "policy.json"))
            yield as_found(entry["cost_ratio"], policy)


def make_request(task: Task) -> SearchRequest:
    """A sweep with everything else as `haq search` has it by default, or as the options say."""
    typed = tuple(f"size={share}x" for share in task.targets)
    on_board = task.setting == "board"
    request = SearchRequest(
        model="mbv2",
        weights=None,
        input_size=32,
        padding="torch",
        data="sample",
        calibration=None,
        observer="auto",
        budget=None,
        bits=tuple(sorted({weight for weight, _ in task.formats})),
        episodes=EPISODES,
        seed=0,
        reward=None,
        sweep=Bounds("latency", (), int(task.targets[0])) if on_board else Bounds("size", typed),
    )
    return replace(request, **task.options)


def as_found(reached: float, policy: Policy) -> Found:
    """A policy of the front as the other tools write theirs."""
    layers = policy.layers.items()
    weights = {name: bits.weight for name, bits in layers}
    return Found(reached, weights, {name: bits.activation for name, bits in layers})


if __name__ == "__main__":
    run(search)
