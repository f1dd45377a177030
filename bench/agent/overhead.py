"""What the service adds: to the wall time of a request, and to the latencies themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import track

from bench.agent.subject import FloatSubject, large, small
from bench.agent.wire import Wire
from device_agent.processes.child import child_env
from haq.board import Board
from quant.ncnn.build import dump
from quant.ncnn.runtime import write_files

REQUESTS = 6
PAUSES_S = (0.0, 1.0)
"""Between requests: none, and what a search does in between."""
TARGET = 0.05
DIRECT = """
import json, sys, time, numpy as np
from pathlib import Path
from quant.ncnn.runtime import Engine
shape, times = json.loads(sys.argv[3]), []
image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
for _ in range(10):
    engine = Engine(Path(sys.argv[1]), Path(sys.argv[2]))
    for _ in range(int(sys.argv[4])):
        start = time.thread_time_ns()
        engine.run(image)
        times.append(time.thread_time_ns() - start)
print(np.median(times) / 1e6)
"""
"""ncnn without any service: the same network, input and clock in a process of its own."""


def measure_overhead(url: str, key: str) -> dict[str, Any]:
    """Both networks; see `of_network`."""
    found = {
        name: of_network(url, key, subject, runs)
        for name, subject, runs in (("at 224", large(), 10), ("at 32", small(), 100))
    }
    return {"target": TARGET, "networks": found}


def of_network(url: str, key: str, subject: FloatSubject, runs: int) -> dict[str, Any]:
    """Seconds of requests beyond those of timing; milliseconds of ncnn with and without agent."""
    wire = Wire()
    with Board(url, key, transport=wire) as board, TemporaryDirectory() as folder:
        subject.upload(board)
        board.measure([subject.float_policy()], fresh=True)
        shares = {f"pause {s:g} s": share_beyond(board, wire, subject, s) for s in PAUSES_S}
        files = write_files(Path(folder), *dump(subject.layers))
        ratios = []
        for seed in track(range(REQUESTS), "beside ncnn alone"):
            (latency,) = board.measure([subject.float_policy()], fresh=True, seed=seed)
            ratios.append(latency.reference_ms / direct_ms(*files, subject.shape, runs, folder))
    return {"beyond_timing": shares, "latency_to_direct": median(ratios)}


def share_beyond(
    board: Board, wire: Wire, subject: FloatSubject, pause_s: float
) -> dict[str, float]:
    """Seconds of a request beyond those that networks were timed, and their share."""
    beyond, timed = [], []
    for seed in track(range(REQUESTS), f"overhead, pause {pause_s:g} s"):
        time.sleep(pause_s)
        start = time.monotonic()
        board.measure([subject.float_policy()], fresh=True, seed=seed)
        wall_s = time.monotonic() - start
        timed.append(wire.answers["/v1/measure"]["timed_s"])
        beyond.append(wall_s - timed[-1])
    return {
        "timed_s": median(timed),
        "beyond_s": median(beyond),
        "share": sum(beyond) / sum(timed),
    }


def direct_ms(
    param_file: Path, bin_file: Path, shape: tuple[int, ...], runs: int, folder: str
) -> float:
    """Median milliseconds of the float network, run without the agent."""
    arguments = [str(param_file), str(bin_file), json.dumps(shape), str(runs)]
    done = subprocess.run(
        [sys.executable, "-c", DIRECT, *arguments],
        env=child_env(os.environ, folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
