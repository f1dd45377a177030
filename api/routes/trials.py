"""What was tried in a search, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from api.errors import UnknownError
from api.judge import judge_of
from api.routes._common import SearchId, TheService
from api.schema import Pareto, Trial, TrialPage
from api.views import pareto, summary_of
from haq.store.trials import pick_trials, read_trials

router = APIRouter(prefix="/v1/searches/{search_id}", tags=["trials"])
Sort = Literal["episode", "kl", "top1", "metric", "cost", "reward", "latency_ratio"]
Record = Mapping[str, Any]
Episode = Annotated[int, Path(ge=1, le=10_000_000)]


@router.get("/trials")
def list_trials(
    search_id: SearchId,
    service: TheService,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    sort: Sort = "episode",
    descending: bool = False,
    origin: Annotated[str | None, Query(max_length=20)] = None,
    max_kl: Annotated[float | None, Query(ge=0)] = None,
    max_cost: Annotated[float | None, Query(ge=0)] = None,
    policies: Annotated[bool, Query(description="with each policy")] = False,
) -> TrialPage:
    """Those that pass the filters, sorted, a page at a time."""
    job = service.jobs.get(search_id)
    passing = [t for t in service.known.of(job.id) if passes(t, origin, max_kl, max_cost)]
    passing.sort(key=sorter(sort, descending))
    behind = offset + limit
    page = passing[offset:behind]
    numbers = [trial["episode"] for trial in page] if policies else []
    whole = pick_trials(service.database, job.id, numbers)
    return TrialPage(
        trials=[Trial.model_validate(whole.get(trial["episode"], trial)) for trial in page],
        total=len(passing),
        next=behind if behind < len(passing) else None,
    )


@router.get("/trials/{episode}")
def get_trial(search_id: SearchId, episode: Episode, service: TheService) -> Trial:
    """One of them, with its policy."""
    job = service.jobs.get(search_id)
    found = read_trials(service.database, job.id, episode - 1, 1)
    if not found or found[0]["episode"] != episode:
        raise UnknownError(f"the search has no trial {episode} yet")
    return Trial.model_validate(found[0])


@router.get("/pareto")
def get_pareto(search_id: SearchId, service: TheService) -> Pareto:
    """The front of divergence against cost, and what it is held against."""
    job = service.jobs.get(search_id)
    return pareto(service.known.of(job.id), summary_of(service, job))


def passes(trial: Record, origin: str | None, max_kl: float | None, max_cost: float | None) -> bool:
    """Whether a trial is within all filters that are given."""
    return (
        origin in (None, trial["origin"])
        and (max_kl is None or trial["kl"] <= max_kl)
        and (max_cost is None or trial["cost"] <= max_cost)
    )


def sorter(name: str, descending: bool) -> Callable[[Record], tuple[bool, float]]:
    """Sorts by a number; trials without one come last either way.

    By `metric` is by top-1 where there is no other.
    """
    sign = -1.0 if descending else 1.0

    def place(trial: Record) -> tuple[bool, float]:
        value = judge_of([trial]).value(trial) if name == "metric" else trial[name]
        return (value is None, 0.0 if value is None else sign * value)

    return place
