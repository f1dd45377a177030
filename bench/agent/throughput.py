"""Images a second of two networks on two threads: through the agent, and by ncnn alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.progress import track

from bench.agent.subject import packaged, random_policies
from device_agent.measuring.candidates import Workshop
from device_agent.processes.child import child_env
from haq.board import Board
from haq.data import normalise
from haq.prepare import upload
from quant.ncnn.build import float_layers
from quant.ncnn.runtime import capabilities

IMAGES = 4000
ROUNDS = 6
TARGET = 0.85
DIRECT = """
import sys, time, numpy as np
from pathlib import Path
from threading import Thread
from quant.ncnn.runtime import Engine
images = np.load(sys.argv[1])
engines = [Engine(Path(p), Path(b), bits16) for p, b, bits16 in zip(*[iter(sys.argv[2:])] * 3)]

def run(engine):
    for image in images:
        engine.run(image)

for engine in engines:
    engine.run(images[0])
threads = [Thread(target=run, args=(engine,)) for engine in engines]
start = time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(time.perf_counter() - start)
"""
"""ncnn without any service: networks loaded, images ready in memory, one thread a network."""


def measure_throughput(board: Board) -> dict[str, Any]:
    """Two mixed networks on the same images, by turns with and without the agent.

    The agent's time is that of the whole call: requests, building and loading the networks,
    preparing the pixels, and the logits on their way back.
    """
    subject, images = packaged()
    pixels = np.resize(images.pixels, (IMAGES, *images.pixels.shape[1:]))
    policies = random_policies(2, seed=1)
    upload(subject, board)
    board.infer(policies, pixels)
    ratios, rates = [], []
    with TemporaryDirectory() as folder:
        arguments = direct_arguments(Path(folder), pixels)
        for _ in track(range(ROUNDS), "throughput"):
            direct_s = float(run_direct(arguments, folder))
            start = time.perf_counter()
            board.infer(policies, pixels)
            served_s = time.perf_counter() - start
            ratios.append(direct_s / served_s)
            rates.append(2 * IMAGES / served_s)
    return {
        "images": IMAGES,
        "images_per_s": median(rates),
        "ratio_to_direct": median(ratios),
        "target": TARGET,
    }


def direct_arguments(folder: Path, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> list[str]:
    """Images and networks as files, for the process without the agent."""
    subject, _ = packaged()
    np.save(folder / "images.npy", normalise(pixels))
    workshop = Workshop(folder, capabilities(), threads=1)
    ranges = subject.ranges.engine_thresholds()
    layers = float_layers(subject.network)
    arguments = [str(folder / "images.npy")]
    for policy in random_policies(2, seed=1):
        candidate = workshop.mixed(layers, policy.engine_bits(), ranges)
        arguments += [str(candidate.param_file), str(candidate.bin_file), candidate.bits16]
    return arguments


def run_direct(arguments: list[str], folder: str) -> str:
    """Seconds that the networks ran, as printed."""
    return subprocess.run(
        [sys.executable, "-c", DIRECT, *arguments],
        env=child_env(os.environ, folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
