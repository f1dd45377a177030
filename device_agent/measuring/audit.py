"""An audit of what is timed, after those of MLPerf's LoadGen.

Two cheats would go unnoticed in a latency: timing something other than what is evaluated, and
answering an input that was seen before from memory. The first shows in the outputs, the second in
the time that the same input takes again.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from numpy.random import default_rng

from device_agent.measuring.blocks import Stopping, collect
from device_agent.measuring.candidates import Candidate
from device_agent.measuring.outputs import Outputs
from device_agent.measuring.rounds import REFERENCES, Run
from device_agent.measuring.timing import Timing
from quant.graph import Floats

INPUTS = 16
FASTER = 0.98
"""The same input again may not take less than this share of the time of a new one."""
MIN_SAMPLE_MS = 1.0
STOPPING = Stopping(rel_ci=0.01, min_rounds=20, max_rounds=80, max_seconds=60.0)


def audit(
    candidate: Candidate, shape: tuple[int, ...], timing: Timing, outputs: Outputs, index: int
) -> dict[str, Any]:
    """`schema.Audit` of a network whose timed outputs were compared as number `index`."""
    found = repeat_ratio(candidate, shape, timing)
    checked, equal = outputs.checked[index], outputs.differing[index] == 0
    return {
        **found,
        "outputs_checked": checked,
        "outputs_equal": equal,
        "passed": checked > 0 and equal and found["repeat_high"] >= FASTER,
    }


def repeat_ratio(candidate: Candidate, shape: tuple[int, ...], timing: Timing) -> dict[str, float]:
    """Time of one input over and over, as a ratio to the time of ever other inputs."""
    images = default_rng([timing.seed, 2]).uniform(-1, 1, (INPUTS, *shape)).astype(np.float32)
    loads = [partial(load_cycling, candidate, images)] * REFERENCES
    loads.append(partial(load_cycling, candidate, images[:1]))
    rng = default_rng([timing.seed, 3])
    timed = collect(loads, timing.choose_clock()[1], STOPPING, rng, MIN_SAMPLE_MS)
    (summary,) = timed.summaries(rng)
    return {
        "repeat_ratio": summary.median,
        "repeat_low": summary.low,
        "repeat_high": summary.high,
    }


def load_cycling(candidate: Candidate, images: Floats) -> Run:
    """A loaded network whose runs take the images (N, C, H, W) in turn."""
    engine, turn = candidate.load(), cycle(images)
    return lambda: engine.run(next(turn))
