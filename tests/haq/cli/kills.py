"""Searches that are killed at random moments, and what they come to: python -m tests.haq.cli.kills.

Each is a process of its own on a simulated board; see `tests.haq.cli.simulated`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.haq.store.stores import found
from tests.haq.subjects import cropped, write_images, write_small_weights

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "tests.haq.cli.simulated", "search")
STARTING_S = 2.0
"""Of every process: nothing can be lost there."""
KILLS = 30


@dataclass(frozen=True)
class Killer:
    """A search by its options; its runs lie in the folder."""

    folder: Path
    options: Sequence[str]
    rng: random.Random

    def undisturbed(self) -> tuple[Path, float]:
        """A run that nobody kills, and its seconds."""
        path, start = self.folder / "undisturbed", time.monotonic()
        assert self._live(path, None)
        return path, time.monotonic() - start

    def killed(self, kills: int, seconds: float) -> Iterator[Path]:
        """Runs that lived to their end, with so many kills in all; a whole one takes `seconds`."""
        for number in count():
            path = self.folder / str(number)
            while not self._live(path, self._moment(seconds) if kills else None):
                kills -= 1
                print(f"{path.name}: killed, {kills} left", file=sys.stderr, flush=True)
            yield path
            if not kills:
                return

    def _moment(self, seconds: float) -> float:
        return self.rng.uniform(STARTING_S, seconds)

    def _live(self, path: Path, die_after_s: float | None) -> bool:
        """Begin or go on; whether it came to its end before it was killed."""
        begun = (path / "run.json").is_file()
        how = ("--resume", str(path)) if begun else (*self.options, "--out", str(path))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen((*PROGRAM, *how), stderr=subprocess.DEVNULL, env=environment)
        try:
            return process.wait(die_after_s) == 0 or self._fail(process)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False

    def _fail(self, process: subprocess.Popen[bytes]) -> bool:
        raise AssertionError(f"{process.args!r} ended with {process.returncode}")


def content(path: Path) -> dict[str, Any]:
    """What a run left, without its own names, its seconds, and the page, which shows these."""
    left_out = ("report.html", "store.sqlite")
    files: dict[str, Any] = {
        file.name: file.read_bytes() for file in path.iterdir() if file.name not in left_out
    }
    for name, own in (("summary.json", "seconds"), ("run.json", "id")):
        data = json.loads(files[name].replace(str(path).encode(), b"RUN"))
        del data[own]
        files[name] = data
    return files | {"store": found(path / "store.sqlite")}


def make_killer(folder: Path, seed: int) -> Killer:
    """Of a search for 4 or 8 bits on few images."""
    weights = write_small_weights(folder / "weights.safetensors")
    images = write_images(folder / "images", cropped("test", 20))
    inputs = ("--weights", str(weights), "--input", "16", "--data", str(images))
    settings = ("--bits", "4,8", "--budget", "size=0.2x", "--quantizer", "naive")
    options = (*inputs, *settings, "--observer", "absmax", "--episodes", "10")
    return Killer(folder, options, random.Random(seed))


def kill(folder: Path, kills: int, seed: int = 0) -> int:
    """Kill so many times; returns the number of runs, all of which equal the undisturbed one."""
    killer = make_killer(folder, seed)
    whole, seconds = killer.undisturbed()
    wanted, runs = content(whole), 0
    for path in killer.killed(kills, seconds):
        assert content(path) == wanted, path
        runs += 1
    return runs


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        start, wanted = time.monotonic(), int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
        runs = kill(Path(made), wanted)
        seconds = time.monotonic() - start
        print(f"{wanted} kills in {runs} runs, all equal to an undisturbed one ({seconds:.0f} s)")
