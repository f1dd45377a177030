"""Every platform's policy on every platform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.platforms.platform import Platform
from bench.program import haq
from haq.store.run_folder import read_json

TOLERANCE = 1.005
"""What is measured anew may be so much over the bound."""
Table = dict[str, Any]


def cross(platforms: Sequence[Platform], episodes: int, folder: Path) -> Table:
    """Search on each, then let each policy cost what it does on the others."""
    found, bounds, files = {}, {}, []
    for place, platform in enumerate(platforms):
        run = folder / str(place)
        haq("search", *platform.options(), "--episodes", episodes, "--out", run)
        summary = read_json(run / "summary.json")
        bounds[platform.name] = summary["details"]["budgets"][0]["ratio"]
        found[platform.name] = {"kl": summary["best"]["kl"], "policy": summary["best"]["policy"]}
        files.append(run / "policy.json")
    for platform in platforms:
        costs = platform.costs(files)
        for home, cost in zip(found, costs, strict=True):
            found[home].setdefault("cost", {})[platform.name] = cost
    best = {name: at_home(name, found, bound) for name, bound in bounds.items()}
    return {"bounds": bounds, "policies": found, "best_at_home": best}


def at_home(name: str, policies: Table, bound: float) -> bool:
    """Whether it keeps its bound there, and none of the others does that and is nearer to float."""
    own = policies[name]["kl"]
    return policies[name]["cost"][name] <= bound * TOLERANCE and all(
        one["cost"][name] > bound * TOLERANCE or one["kl"] >= own
        for home, one in policies.items()
        if home != name
    )
