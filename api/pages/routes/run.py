"""One search, as it goes on."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BeforeValidator, Field, NonNegativeFloat

from api.jobs.job import Wanted
from api.judge import judge_of
from api.pages import links
from api.pages.charts.front import Height
from api.pages.fronts import Charted, cost_kind, front
from api.pages.render import page
from api.pages.run_view import best_policy, curves, table
from api.routes._changing import ChangingRoute
from api.routes._common import SearchId, TheService
from api.routes.artifacts import list_artifacts
from api.routes.searches import shown
from api.routes.trials import Sort
from api.views import summary_of

router = APIRouter(prefix="/runs/{search_id}", route_class=ChangingRoute)
ACTIONS: dict[str, Wanted] = {"pause": "pause", "resume": "run", "cancel": "cancel"}
Action = Literal["pause", "resume", "cancel"]
EMPTY_IS_NONE = BeforeValidator(lambda text: text or None)
"""A form sends what is left empty, too."""
Word = Annotated[str, Field(max_length=20)]
Origin = Annotated[Word | None, EMPTY_IS_NONE, Query()]
MaxKl = Annotated[NonNegativeFloat | None, EMPTY_IS_NONE, Query()]


@router.get("")
def show_run(
    request: Request,
    search_id: SearchId,
    service: TheService,
    y: Height = "kl",
    origin: Origin = None,
    max_kl: MaxKl = None,
    sort: Sort = "kl",
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """Its state, curves, front, best bits, trials and files."""
    job = service.jobs.get(search_id)
    trials, summary = service.known.of(job.id), summary_of(service, job)
    search, judge = shown(service, job), judge_of(trials)
    charted = Charted(trials, summary, search.spec.budgets)
    return page(
        request,
        "run.html",
        search=search,
        wanted=job.wanted,
        curves=curves(trials, search.spec.episodes),
        judge=judge,
        front=front(charted, None if y == "kl" else judge),
        best=best_policy(service, job, trials, summary),
        summary=summary,
        trials=table(trials, origin, max_kl, sort, descending, offset),
        origins=sorted({trial["origin"] for trial in trials}),
        cost_kind=cost_kind(search.spec.budgets),
        files=list_artifacts(search_id, service).artifacts,
        cursor=None if job.has_ended else f"{len(job.history)}-{len(trials)}",
        link=partial(links.changed, request),
    )


@router.post("/{action}")
def change_run(search_id: SearchId, action: Action, service: TheService) -> Response:
    """Pause it, go on, or end it; then back to its page."""
    service.jobs.ask_to(search_id, ACTIONS[action])
    return RedirectResponse(f"/runs/{search_id}", 303)
