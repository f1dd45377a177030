"""The most memory that `haq evaluate` holds, each time in a process of its own.

`best` and `table` make their layers in it, since each process has an empty cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import track

from bench.evaluation.subject import Given
from bench.program import PROGRAM

COMMANDS = {
    "ncnn int8": ("--policy", "8", "--quantizer", "naive"),
    "simulated w4a8, naive": ("--policy", "w4a8", "--quantizer", "naive"),
    "simulated w4a8, table": ("--policy", "w4a8", "--quantizer", "table"),
    "simulated w4a8, best": ("--policy", "w4a8", "--quantizer", "best"),
    "torch w4a8, naive": ("--policy", "w4a8", "--quantizer", "naive", "--evaluate", "torch"),
}
TARGET_MIB = 2000
UNIT = 1024 if sys.platform == "linux" else 1
"""Bytes of what the system counts in."""
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""A small process in between: the peak of a child begins at the memory of its parent."""


def measure_memory(given: Given) -> dict[str, Any]:
    """Peak resident memory in MiB by way: loading, calibration and quantizing included."""
    found = {
        name: peak_mib(evaluate_command(given, *more))
        for name, more in track(COMMANDS.items(), "memory")
    }
    return {"rows": given.scored, "target_mib": TARGET_MIB, "peak_mib": found}


def evaluate_command(given: Given, *more: str) -> list[str]:
    """`haq evaluate` of the scored rows."""
    weights = [] if given.weights is None else ["--weights", str(given.weights)]
    return [
        *PROGRAM,
        "evaluate",
        *weights,
        *("--input", str(given.side), "--padding", given.padding),
        *("--data", f"{given.data}:{given.scored}"),
        *("--calibration", f"{given.data}:{given.calibration}", *more),
    ]


def peak_mib(command: list[str]) -> float:
    """Peak resident memory of a process that must succeed, with an empty cache."""
    with TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, *command],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"HAQ_CACHE": cache},
        )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return int(done.stdout.splitlines()[-1]) * UNIT / 2**20
