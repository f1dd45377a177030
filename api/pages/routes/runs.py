"""All searches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from api.jobs.job import State
from api.metrics import STATES
from api.pages import links
from api.pages.render import page
from api.routes._common import TheService
from api.routes.searches import Before, list_searches

router = APIRouter()
ON_A_PAGE = 25
StateFilter = Annotated[State | None, BeforeValidator(lambda text: text or None), Query()]


@router.get("/")
def show_runs(
    request: Request, service: TheService, state: StateFilter = None, before: Before = None
) -> Response:
    """A table, the newest first."""
    found = list_searches(service, state, before, ON_A_PAGE)
    return page(
        request,
        "runs.html",
        searches=found.searches,
        older=found.next and links.changed(request, before=found.next),
        newest=before and links.changed(request, before=None),
        state=state,
        states=STATES,
        counts=service.jobs.by_state(),
        is_moving=any(search.finished_at is None for search in found.searches),
    )
