"""The form for a new search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import ServiceError
from api.pages.asked import FieldError, to_form, to_spec
from api.pages.fields import groups
from api.pages.forms import Form, TheForm
from api.pages.render import page
from api.problems import TABLE
from api.routes._changing import ChangingRoute
from api.routes._common import TheKey, TheService
from api.routes.searches import created
from api.schema import SearchSpec
from api.service import Service
from quant.errors import InputError

router = APIRouter(prefix="/new", route_class=ChangingRoute)
Like = Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")]


@router.get("")
def ask_for_search(request: Request, service: TheService, like: Like = None) -> Response:
    """The form, filled in as another search or as by default."""
    spec = SearchSpec.model_validate({})
    if like is not None:
        spec = SearchSpec.model_validate(service.jobs.get(like).spec["spec"])
    return shown(request, service, to_form(spec))


@router.post("")
def begin_search(request: Request, service: TheService, key: TheKey, form: TheForm) -> Response:
    """Begin what was typed, once however often it is sent, or say what is wrong with it."""
    try:
        made = created(service, key, to_spec(form), Response(), once_of(form))
    except FieldError as error:
        return shown(request, service, form, 422, problems=error.problems)
    except (InputError, ServiceError) as error:
        return shown(request, service, form, status_of(error), problem=str(error))
    return RedirectResponse(f"/runs/{made.id}", 303)


def once_of(form: Form) -> str | None:
    """What makes this filling of the form another one than the next."""
    return form.get("once")[:200] or None


def status_of(error: Exception) -> int:
    """As the routes of /v1 would answer."""
    return next(status for kind, status, _ in TABLE if isinstance(error, kind))


def shown(
    request: Request,
    service: Service,
    form: Form,
    status: int = 200,
    problem: str | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    """The form with what was typed, and what is wrong with that."""
    return page(
        request,
        "new.html",
        status,
        groups=groups(service),
        form=form,
        once=uuid4().hex,
        problem=problem,
        problems=problems or {},
    )
