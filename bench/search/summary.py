"""What the runs say: best KL at each number of evaluations, and evaluations to the best known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from bench.search.equal import Run

NEAR = 1.05
"""Within 5 % of the best known."""


def summarise(runs: Iterable[Run], evaluations: Sequence[int]) -> dict[str, Any]:
    """By setting: every contender's median with its range, over seeds."""
    by_setting: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        by_setting.setdefault(run.setting, {}).setdefault(run.contender, []).append(run)
    return {name: of_setting(found, evaluations) for name, found in by_setting.items()}


def of_setting(
    contenders: Mapping[str, Sequence[Run]], evaluations: Sequence[int]
) -> dict[str, Any]:
    """One setting."""
    best = min(min(run.kls) for runs in contenders.values() for run in runs)
    return {
        "best_known_kl": best,
        "contenders": {
            name: {
                "seeds": len(runs),
                "kl": {str(n): spread([run.best_within(n) for run in runs]) for n in evaluations},
                "evaluations_to_best": spread([run.evaluations_to(NEAR * best) for run in runs]),
            }
            for name, runs in contenders.items()
        },
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Least, median and largest; None where a run has none."""
    ordered = sorted(values)
    found = {"least": ordered[0], "median": median(ordered), "largest": ordered[-1]}
    return {name: None if value == float("inf") else value for name, value in found.items()}
