"""Searches and trials as the wire and the pages show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from api.jobs import Job
from api.schema import Event, Pareto, Point, Progress, Search, SearchSpec
from api.service import Service
from api.standings import Standing
from haq.store import RunFolder
from haq.store.run_folder import read_json

UNIFORMS = ("8", "16", "32")
FOUND = "found"
"""The result among the marks."""
Record = Mapping[str, Any]
Found = TypeVar("Found")


def folder_of(service: Service, job: Job) -> RunFolder:
    """The run folder of a search."""
    model = job.spec["asked"]["model"]
    return RunFolder(service.settings.runs_dir / job.id, model, job.id)


def show_all(service: Service, jobs: Sequence[Job]) -> list[Search]:
    """Searches with what their trials say, asked for at once."""
    standings = service.standings.of([job.id for job in jobs])
    return [show(job, standing) for job, standing in zip(jobs, standings, strict=True)]


def show(job: Job, standing: Standing) -> Search:
    """One search."""
    return Search(
        id=job.id,
        state=job.state,
        spec=SearchSpec.model_validate(job.spec["spec"]),
        progress=show_progress(job),
        trials=standing.trials,
        best_kl=standing.best_kl,
        history=[Event.model_validate(event) for event in job.history],
        error=job.error,
        created_by=job.created_by,
        created_at=job.created_at,
        finished_at=job.finished_at,
        attempts=job.token,
    )


def show_progress(job: Job) -> Progress:
    """The stage, and how long it will take if it goes on as until now."""
    found = dict(job.progress)
    since, done = found.pop("since", None), found.get("done", 0)
    eta_s = None
    if job.state == "running" and since is not None and done:
        eta_s = max(0.0, (time.time() - since) / done * (found["total"] - done))
    return Progress(**found, eta_s=eta_s)


def summary_of(service: Service, job: Job) -> dict[str, Any] | None:
    """The result of a search that has one."""
    file = folder_of(service, job).summary
    found: dict[str, Any] | None = read_json(file) if file.is_file() else None
    return found


def pareto(trials: Sequence[Record], summary: Record | None) -> Pareto:
    """The front of the trials; a summary adds what they are held against."""
    measured, budget, cost = is_measured(trials), budget_of(summary), costing(trials, summary)
    # Places are made of the front alone: there may be thousands of others.
    front = front_of(trials, lambda trial: (cost(trial), trial["kl"]))
    return Pareto(
        cost="latency" if measured else "cost" if budget is None else budget["kind"],
        bound=None if budget is None else budget["ratio"],
        front=[to_point(trial, cost(trial)) for trial in front],
        marks=[] if summary is None else marks_of(summary, measured),
    )


def points_of(trials: Sequence[Record], summary: Record | None) -> list[Point]:
    """Where every trial lies; a summary says what float costs."""
    cost = costing(trials, summary)
    return [to_point(trial, cost(trial)) for trial in trials]


def costing(trials: Sequence[Record], summary: Record | None) -> Callable[[Record], float]:
    """What a trial costs: as measured where a board timed any, else by its model."""
    measured, budget = is_measured(trials), budget_of(summary)
    scale = 1.0 if measured or budget is None else budget["float_cost"]

    def cost(trial: Record) -> float:
        found = trial["latency_ratio"] if measured else None
        return float(trial["cost"] / scale if found is None else found)

    return cost


def is_measured(trials: Sequence[Record]) -> bool:
    """Whether a board timed the trials."""
    return any(trial["latency_ratio"] is not None for trial in trials)


def budget_of(summary: Record | None) -> Record | None:
    """What a search was held to, as far as it has ended."""
    return None if summary is None else summary["details"]["budget"]


def to_point(trial: Record, cost: float) -> Point:
    """A trial's place."""
    return Point(
        name=f"trial {trial['episode']}",
        kl=trial["kl"],
        cost=cost,
        top1=trial["top1"],
        metric=trial.get("metric"),
        episode=trial["episode"],
    )


def front_of(found: Iterable[Found], place: Callable[[Found], tuple[float, float]]) -> list[Found]:
    """Those that no other one beats in both cost and harm, which are its place; cheapest first."""
    front: list[tuple[float, Found]] = []
    placed = ((place(one), one) for one in found)
    for (_, harm), one in sorted(placed, key=itemgetter(0)):
        if not front or harm < front[-1][0]:
            front.append((harm, one))
    return [one for _, one in front]


def marks_of(summary: Record, measured: bool) -> list[Point]:
    """The result, the float network and uniform bits, as far as their cost is known."""
    best, details = summary["best"], summary["details"]
    kind, reached = details["budget"]["kind"], details["budgets"][0]["reached"]
    found = [to_mark(FOUND, best, reached)]
    size32 = summary["uniform"]["32"]["size_bytes"]
    for name in UNIFORMS:
        entry = summary["uniform"].get(name)
        if entry is None:
            continue
        cost = entry["latency_ratio"] if measured else None
        if not measured and kind == "size":
            cost = entry["size_bytes"] / size32
        if cost is not None:
            found.append(to_mark("float" if name == "32" else f"uniform {name}", entry, cost))
    return found


def to_mark(name: str, entry: Record, cost: float) -> Point:
    """The place of a policy of a result."""
    kl, top1, metric = entry["kl"], entry["top1"], entry.get("metric")
    return Point(name=name, kl=kl, cost=cost, top1=top1, metric=metric, episode=None)
