"""The result of a search as JSON: what `--json` prints, what the report needs, what a trial was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from haq.board import Device
from haq.search.final import Winner, by_budget, reached
from haq.search.loop import Outcome
from haq.search.rated import Rated
from haq.search.target import Target


def summarise(
    run: str,
    model: str,
    best: Rated,
    uniforms: Mapping[str, Rated],
    exports: Mapping[str, Any],
    episodes: int,
    seconds: float,
) -> dict[str, Any]:
    """The last line on standard output of `haq search --json`."""
    return {
        "run": run,
        "model": model,
        "best": {"policy": best.policy.to_json(), **best.to_json()},
        "uniform": {name: rated.to_json() for name, rated in uniforms.items()},
        "exports": dict(exports),
        "episodes": episodes,
        "seconds": round(seconds, 1),
    }


def details(
    target: Target,
    budget_given: bool,
    winner: Winner,
    outcomes: Iterable[Outcome],
    rated: Mapping[str, Rated],
    device: Device,
    agent: str,
) -> dict[str, Any]:
    """What the report shows beyond the summary; `rated` holds `best` and the uniform policies."""
    return {
        "budget": {
            "kind": target.kind,
            "ratio": target.ratio,
            "float_cost": target.float_cost,
            "given": budget_given,
        },
        "budgets": budgets_json(target, winner),
        "origin": winner.outcome.origin,
        "episode": winner.outcome.episode,
        "within": winner.outcome.within,
        "agent": agent,
        "agents_best_kl": agents_best_kl(outcomes, target, agent),
        "agreement": {name: one.score.agreement for name, one in rated.items()},
        "scores": {name: scores_json(one) for name, one in rated.items()},
        "images": rated["best"].score.images,
        "latency": {name: asdict(one.latency) for name, one in rated.items() if one.latency},
        "device": {**asdict(device), "types16": sorted(device.types16)},
    }


def budgets_json(target: Target, winner: Winner) -> list[dict[str, Any]]:
    """Each budget and what the winner has of it, both as multiples of the reference's cost.

    What is of the kind "latency" is measured, a "table" is what a file says.
    """
    final = replace(winner.outcome, latency=winner.latency)
    return [
        {
            "kind": one.kind,
            "ratio": one.ratio,
            "reference": one.reference,
            "reached": reached(outcome, one) / one.float_cost,
        }
        for one, outcome in by_budget(final, target)
    ]


def scores_json(rated: Rated) -> dict[str, Any]:
    """Every score of a policy by who computed it."""
    return {kind: score.to_json() for kind, score in rated.scores.items()}


def agents_best_kl(outcomes: Iterable[Outcome], target: Target, agent: str) -> float | None:
    """Least KL on all validation images of what the agent proposed within the bound.

    Estimates of a race are left out: at most one of the two that surely beat them was not the
    agent's.
    """
    within = [o.score for o in outcomes if o.origin == agent and o.cost <= target.bound]
    images = max((score.images for score in within), default=0)
    return min((score.kl for score in within if score.images == images), default=None)


def trial_record(outcome: Outcome, ratios: Mapping[str, float] | None = None) -> dict[str, Any]:
    """One line of `trials.jsonl`; `ratios` are those of several budgets by kind, as predicted."""
    latency = outcome.latency
    return {
        "episode": outcome.episode,
        "origin": outcome.origin,
        **outcome.score.to_json(),
        "reward": outcome.reward,
        "cost": outcome.cost,
        **({"ratios": dict(ratios)} if ratios else {}),
        "latency_ratio": latency.ratio if latency else None,
        "latency_ms": latency.latency_ms if latency else None,
        "policy": outcome.policy.to_json(),
    }
