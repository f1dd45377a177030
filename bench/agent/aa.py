"""A network against itself: how often is the ratio within 1 % of one, on a loaded machine?"""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.progress import track

from bench.agent.load import loaded_machine
from bench.agent.subject import small
from haq.board import Board, Latency

TOLERANCE = 0.01
TARGET = 0.95


def measure_aa(board: Board, runs: int) -> dict[str, Any]:
    """Ratios of `runs` measurements at the agent's default precision."""
    subject = small()
    subject.upload(board)
    with loaded_machine():
        found = [
            board.measure([subject.float_policy()], fresh=True, seed=seed)[0]
            for seed in track(range(runs), "A/A")
        ]
    return summarise(found)


def summarise(found: list[Latency]) -> dict[str, Any]:
    """Shares of ratios near one and of intervals that cover it."""
    ratios = np.array([latency.ratio for latency in found])
    covering = [latency.ratio_low <= 1.0 <= latency.ratio_high for latency in found]
    return {
        "runs": len(found),
        "within_1_percent": float(np.mean(np.abs(ratios - 1) <= TOLERANCE)),
        "target": TARGET,
        "intervals_covering_one": float(np.mean(covering)),
        "mean_ratio": float(ratios.mean()),
        "deviation": float(ratios.std()),
        "largest_error": float(np.abs(ratios - 1).max()),
        "median_rounds": float(np.median([latency.rounds for latency in found])),
        "voided_rounds": int(sum(latency.voided for latency in found)),
        "load_average": float(np.median([x.conditions["load_average"] for x in found])),
        "ratios": ratios.round(5).tolist(),
    }
