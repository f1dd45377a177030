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

from bench.agent.subject import float_policy, packaged
from bench.agent.wire import Wire
from device_agent.child import child_env
from haq.board import Board
from haq.prepare import upload
from quant.ncnn.build import dump, float_layers
from quant.ncnn.runtime import write_files

REQUESTS = 12
TARGET = 0.05
DIRECT = """
import json, sys, time, numpy as np
from pathlib import Path
from quant.ncnn.runtime import Engine
shape, times = json.loads(sys.argv[3]), []
image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
for _ in range(10):
    engine = Engine(Path(sys.argv[1]), Path(sys.argv[2]))
    for _ in range(100):
        start = time.thread_time_ns()
        engine.run(image)
        times.append(time.thread_time_ns() - start)
print(np.median(times) / 1e6)
"""
"""ncnn without any service: the same network, input and clock in a process of its own."""


def measure_overhead(url: str, key: str) -> dict[str, Any]:
    """Seconds of requests beyond those of timing; milliseconds of ncnn with and without agent."""
    wire = Wire()
    subject, _ = packaged()
    beyond, timed, ratios = [], [], []
    with Board(url, key, transport=wire) as board, TemporaryDirectory() as folder:
        upload(subject, board)
        board.measure([float_policy()], fresh=True)
        files = write_files(Path(folder), *dump(float_layers(subject.network)))
        for seed in track(range(REQUESTS), "overhead"):
            start = time.monotonic()
            (latency,) = board.measure([float_policy()], fresh=True, seed=seed)
            wall_s, timed_s = time.monotonic() - start, wire.answers["/v1/measure"]["timed_s"]
            beyond.append(wall_s - timed_s)
            timed.append(timed_s)
            ratios.append(latency.reference_ms / direct_ms(*files, folder))
    return {
        "requests": REQUESTS,
        "timed_s": median(timed),
        "beyond_timing_s": median(beyond),
        "share": sum(beyond) / sum(timed),
        "target": TARGET,
        "latency_to_direct": median(ratios),
    }


def direct_ms(param_file: Path, bin_file: Path, folder: str) -> float:
    """Median milliseconds of the float network, run without the agent."""
    config = packaged()[0].config
    shape = json.dumps([config.channels, config.input_size, config.input_size])
    command = [sys.executable, "-c", DIRECT, str(param_file), str(bin_file), shape]
    done = subprocess.run(
        command, env=child_env(os.environ, folder), capture_output=True, text=True, check=True
    )
    return float(done.stdout)
