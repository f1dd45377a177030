"""Searches: begin, list, look at, pause, go on, cancel, clone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access.keys import Key
from api.asking import changed, check_room, resolve, to_stored
from api.errors import ConflictError
from api.idempotency import id_from
from api.jobs import Job
from api.jobs.job import State
from api.routes._changing import ChangingRoute
from api.routes._common import Repeatable, SearchId, TheKey, TheService
from api.schema import Search, SearchChanges, SearchPage, SearchSpec
from api.service import Service
from api.views import show_all

router = APIRouter(prefix="/v1/searches", tags=["searches"], route_class=ChangingRoute)
Before = Annotated[
    str | None, Query(pattern=r"^[0-9a-f]{32}$", description="`next` of the page before")
]


@router.post("", status_code=201)
def begin_search(
    spec: SearchSpec,
    service: TheService,
    key: TheKey,
    response: Response,
    once: Repeatable = None,
) -> Search:
    """Put a search into the queue."""
    return created(service, key, spec, response, once)


@router.get("")
def list_searches(
    service: TheService,
    state: State | None = None,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SearchPage:
    """The newest first."""
    start = service.jobs.get(before) if before else None
    place = (start.created_at, start.id) if start else None
    jobs = service.jobs.page(limit, place, state)
    more = jobs[-1].id if len(jobs) == limit else None
    return SearchPage(searches=show_all(service, jobs), next=more)


@router.get("/{search_id}")
def get_search(search_id: SearchId, service: TheService) -> Search:
    """One search."""
    return shown(service, service.jobs.get(search_id))


@router.post("/{search_id}/pause")
def pause_search(search_id: SearchId, service: TheService, once: Repeatable = None) -> Search:
    """Stop it for now; nothing is lost."""
    return shown(service, service.jobs.ask_to(search_id, "pause"))


@router.post("/{search_id}/resume")
def resume_search(search_id: SearchId, service: TheService, once: Repeatable = None) -> Search:
    """Go on with one that is paused, exactly where it stood."""
    return shown(service, service.jobs.ask_to(search_id, "run"))


@router.post("/{search_id}/cancel")
def cancel_search(search_id: SearchId, service: TheService, once: Repeatable = None) -> Search:
    """End it for good; its trials stay."""
    return shown(service, service.jobs.ask_to(search_id, "cancel"))


@router.post("/{search_id}/clone", status_code=201)
def clone_search(
    search_id: SearchId,
    changes: SearchChanges,
    service: TheService,
    key: TheKey,
    response: Response,
    once: Repeatable = None,
) -> Search:
    """A new search like another one, with changes."""
    spec = SearchSpec.model_validate(service.jobs.get(search_id).spec["spec"])
    return created(service, key, changed(spec, changes), response, once)


def created(
    service: Service, key: Key, spec: SearchSpec, response: Response, once: str | None
) -> Search:
    """A new search, or the one that the same request has made already."""
    asked = resolve(service, spec)
    job_id = None if once is None else id_from(key.name, once)
    check_room(service, key, job_id)
    job = service.jobs.add(to_stored(spec, asked), key.name, job_id)
    if job.spec["spec"] != spec.model_dump(mode="json"):
        raise ConflictError("this idempotency key has made another search: take a new one")
    response.headers["Location"] = f"/v1/searches/{job.id}"
    return shown(service, job)


def shown(service: Service, job: Job) -> Search:
    """One search as the wire has it."""
    return show_all(service, [job])[0]
