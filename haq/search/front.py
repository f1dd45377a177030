"""The front of searches within several bounds, from their summaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haq.cost import parse_budget
from quant.errors import InputError

Summary = Mapping[str, Any]
SCORES = ("top1", "kl", "metric", "latency_ratio", "size_bytes")


def front_entry(bound: str, summary: Summary, details: Summary) -> dict[str, Any]:
    """A point of the front; its cost is a multiple of the reference's, measured if it is one."""
    best, reached = summary["best"], budget_within(bound, details)["reached"]
    numbers = {key: best[key] for key in SCORES if key in best}
    return {"bound": bound, "cost_ratio": reached, **numbers, "run": summary["run"]}


def budget_within(bound: str, details: Summary) -> Summary:
    """What a result says of the budget that a bound is of; latency is that of a table, too."""
    kind = parse_budget(bound).kind
    kinds = {kind, "table"} if kind == "latency" else {kind}
    found: Summary = next(one for one in details["budgets"] if one["kind"] in kinds)
    return found


def join(
    run: str, found: Mapping[str, Summary], folders: Mapping[str, str], missed: Mapping[str, str]
) -> dict[str, Any]:
    """The summary that a sweep over bounds would have, from those of searches of their own.

    `found` holds summaries by bound, `folders` the folder of each bound in that of the sweep, and
    `missed` why a search has none. Uniform bits are as the first summary has them. Raises
    InputError where nothing was found.
    """
    if not found:
        raise InputError("; ".join(f"{bound}: {why}" for bound, why in missed.items()))
    bound, first = next(iter(found.items()))
    return {
        "run": run,
        "model": first["model"],
        "front": [front_entry(one, summary, summary["details"]) for one, summary in found.items()],
        "episodes": sum(summary["episodes"] for summary in found.values()),
        "seconds": round(sum(summary["seconds"] for summary in found.values()), 1),
        "details": {
            **shared_details(bound, first),
            "searches": [
                {"bound": one, "folder": folder, "missed": missed.get(one, "")}
                for one, folder in folders.items()
            ],
        },
    }


def shared_details(bound: str, summary: Summary) -> dict[str, Any]:
    """What holds for all searches."""
    details = summary["details"]
    budget = budget_within(bound, details)
    return {
        "kind": budget["kind"],
        "reference": budget["reference"],
        "reference_cost": details["budget"]["float_cost"],
        "simulated": summary["best"]["latency_ratio"] is None,
        "uniform": uniform_points(budget["kind"], summary["uniform"]),
        "images": details["images"],
        "device": details["device"],
    }


def uniform_points(kind: str, uniform: Mapping[str, Summary]) -> dict[str, dict[str, Any]]:
    """Uniform bits with their cost, where it is their measured latency or their size."""
    if kind == "size":
        float_bytes = uniform["32"]["size_bytes"]
        ratios = {name: one["size_bytes"] / float_bytes for name, one in uniform.items()}
    else:
        ratios = {name: one["latency_ratio"] for name, one in uniform.items()}
    is_known = kind in {"size", "latency"}
    return {
        name: {**one, "cost_ratio": ratios[name]}
        for name, one in uniform.items()
        if is_known and ratios[name] is not None
    }
