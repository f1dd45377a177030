"""A sweep: the same search within several bounds, which share every score and measurement.

The tightest bound comes first. So whatever was tried keeps every bound that follows: the searchers
of those learn from it, and races and final rankings are among policies that all count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from haq.board import AnyBoard, Device
from haq.cost import parse_budget
from haq.cost.budget import Kind
from haq.data import Splits
from haq.parallel import LocalWorkers, StartWorkers
from haq.prepare import Subject
from haq.progress import Progress
from haq.search.bounds import spread
from haq.search.front import front_entry
from haq.search.loop import Outcome
from haq.search.rated import Rated
from haq.search.request import SearchRequest
from haq.search.run import Searched, conclude, discarding, open_run
from haq.search.stages import Stages
from haq.search.target import Target
from haq.store import RunFolder, write_json
from haq.store.run_folder import bound_folder
from quant.errors import BudgetError


@dataclass(frozen=True)
class Planned:
    """One bound of a sweep as typed, the search within it, and its folder."""

    bound: str
    request: SearchRequest
    target: Target
    folder: RunFolder

    @property
    def swept(self) -> Target:
        """The target of the bound alone, without the budgets that are the same everywhere."""
        return swept_of(self.target, parse_budget(self.bound).kind)


@dataclass(frozen=True)
class Concluded:
    """The point of the front for one bound, and the details of its search; or why it was missed."""

    plan: Planned
    entry: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    missed: str = ""


def sweep_subject(
    request: SearchRequest,
    subject: Subject,
    splits: Splits,
    folder: RunFolder,
    board: AnyBoard,
    progress: Progress,
    start: StartWorkers = LocalWorkers,
    store_url: str | None = None,
) -> dict[str, Any]:
    """Search within every bound of `request.sweep` and return the summary.

    A bound that cannot be met ends the sweep before anything is searched. Raises as
    `search_subject`.
    """
    started = time.monotonic()
    with open_run(request, subject, splits, folder, board, store_url) as opened:
        search = Stages(request, folder, board, progress, subject, splits, opened.store, start)
        with discarding(opened):
            plans = plan(search, folder)
        for one in plans:
            settings = {**one.request.to_json(), **opened.content, "bound": one.bound}
            with one.folder.open(settings):  # Only meanwhile: the sweep's own is locked for long.
                opened.store.begin(one.folder.run_id, settings)
        searched = run_all(search, plans)
        concluded = conclude_all(search, plans, searched, opened.device)
        found = {
            "run": str(folder.path),
            "model": request.model,
            "front": [one.entry for one in concluded if one.entry],
            "episodes": sum(len(one.outcomes) for one in searched),
            "seconds": round(time.monotonic() - started, 1),
        }
        more = details(search, concluded, opened.device)
        write_json(folder.summary, {**found, "details": more})
    return found


def plan(search: Stages, folder: RunFolder) -> list[Planned]:
    """All searches, the tightest bound first. Raises BudgetError if a bound cannot be met."""
    request = search.request
    texts, fixed = find_bounds(search), request.budget or ()
    budgets = [(*fixed, parse_budget(text)) for text in texts]
    plans = [
        Planned(
            text,
            replace(request, budget=some, sweep=None),
            target,
            RunFolder(folder.path / bound_folder(text), request.model),
        )
        for text, some, target in zip(texts, budgets, search.targets.find(budgets), strict=True)
    ]
    return sorted(plans, key=lambda one: one.swept.bound)


def find_bounds(search: Stages) -> Sequence[str]:
    """The bounds as typed, or else as `spread` over what can be reached."""
    bounds = search.request.sweep
    if bounds is None or bounds.typed:
        return bounds.typed if bounds else ()
    (target,) = search.targets.find([[bounds.open]])
    return spread(bounds, target, search.choices.widest)


def run_all(search: Stages, plans: Sequence[Planned]) -> list[Searched]:
    """The episodes of all searches; each searcher is told of all trials before."""
    searched: list[Searched] = []
    for one in plans:
        earlier = [outcome for before in searched for outcome in before.outcomes]
        started = time.monotonic()
        outcomes = search.run(one.target, one.folder, f"search {one.bound}", earlier)
        seconds = time.monotonic() - started
        searched.append(Searched(one.folder, one.target, True, outcomes, seconds))
    return searched


def conclude_all(
    search: Stages, plans: Sequence[Planned], searched: Sequence[Searched], device: Device
) -> list[Concluded]:
    """The final stages of every search. Raises BudgetError where all bounds were missed."""
    found = []
    for plan_, one in zip(plans, searched, strict=True):
        try:
            summary, more = conclude(search, one, candidates(plan_, plans, searched), device)
            found.append(Concluded(plan_, front_entry(plan_.bound, summary, more), more))
        except BudgetError as error:
            # The others need not be lost with a bound that only noise had let pass before.
            found.append(Concluded(plan_, missed=str(error)))
    if all(one.missed for one in found):
        raise BudgetError(found[0].missed)
    return found


def candidates(
    plan_: Planned, plans: Sequence[Planned], searched: Sequence[Searched]
) -> list[Outcome]:
    """All outcomes of a sweep as seen from one of its bounds, that one's own first."""
    own: list[Outcome] = []
    others: list[Outcome] = []
    for other, search in zip(plans, searched, strict=True):
        if other is plan_:
            own += search.outcomes
        else:
            others += [as_seen(outcome, other.bound, plan_.target) for outcome in search.outcomes]
    return [*own, *others]


def as_seen(outcome: Outcome, bound: str, target: Target) -> Outcome:
    """The outcome of the search within `bound` as one of another target."""
    return replace(outcome, cost=target.model.cost(outcome.policy), within=bound)


def details(search: Stages, concluded: Sequence[Concluded], device: Device) -> dict[str, Any]:
    """What the report shows beyond the summary."""
    swept = concluded[0].plan.swept
    return {
        "kind": swept.kind,
        "reference": swept.reference,
        "reference_cost": swept.float_cost,
        "simulated": not search.request.is_deployable,
        "searches": [
            {
                "bound": one.plan.bound,
                "ratio": one.plan.swept.ratio,
                "folder": one.plan.folder.path.name,
                "missed": one.missed,
            }
            for one in concluded
        ],
        "uniform": uniform_points(search, swept, concluded),
        "images": len(search.splits.test),
        "device": {**asdict(device), "types16": sorted(device.types16)},
    }


def uniform_points(
    search: Stages, swept: Target, concluded: Sequence[Concluded]
) -> dict[str, dict[str, Any]]:
    """The same bits everywhere by name; of shared weights those near the found sizes alone.

    Shared weights are finetuned to be rated, which takes too long for every width.
    """
    if not search.request.shares_weights:
        rated = search.rate_choices()
        return {
            name: {**one.to_json(), "cost_ratio": cost_of(one, swept) / swept.float_cost}
            for name, one in rated.items()
        }
    near = {
        name: e for one in concluded for name, e in one.details.get("uniform_kmeans", {}).items()
    }
    return {
        name: {**e, "cost_ratio": e["size_bytes"] / swept.float_cost} for name, e in near.items()
    }


def cost_of(rated: Rated, swept: Target) -> float:
    """The latency as measured where that is what is swept, else what the model says."""
    measured = rated.latency if swept.kind == "latency" else None
    return measured.ratio if measured else swept.model.cost(rated.policy)


def swept_of(target: Target, kind: Kind) -> Target:
    """The part of a target that is of a kind of budget, be it measured or by a table."""
    kinds = {kind, "table"} if kind == "latency" else {kind}
    return next(one for one in target.budgets if one.kind in kinds)
