"""Points to test with."""

from __future__ import annotations

import numpy as np

from bench.peers.mapping import Candidate
from bench.peers.points import Point
from quant.evaluate import Score
from quant.policy import uniform

LAYERS = ("a", "b", "c")
SPREAD = np.linspace(0.9, 1.1, 50)


def point(
    tool: str, kl: float, cost: float, error: float = 0.01, target: float | None = 1.0
) -> Point:
    """A point of uniform 8 bits whose images differ a little in KL."""
    candidate = Candidate(tool, target, uniform(LAYERS, 8, 8))
    score = Score(0.9, kl, 0.99, len(SPREAD))
    return Point(candidate, score, 0.0, cost, cost - error, cost + error, 1000, kl * SPREAD)
