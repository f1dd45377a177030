"""Keys and the audit, for who may manage them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.access.roles import ROLES
from api.errors import ConflictError
from api.pages.forms import Form, TheForm
from api.pages.render import page
from api.routes._changing import ChangingRoute
from api.routes._common import TheService
from api.routes.keys import KeyName, info
from api.schema import NewKey
from api.service import Service
from quant.errors import InputError

router = APIRouter(prefix="/keys", route_class=ChangingRoute)
NEWEST = 50


@router.get("")
def show_keys(request: Request, service: TheService) -> Response:
    """Those in force, a form for a new one, and who changed what."""
    return shown(request, service)


@router.post("")
def make_key(request: Request, service: TheService, form: TheForm) -> Response:
    """Make a key; its secret is on this page and nowhere else."""
    try:
        asked = to_key(form)
        secret = service.keys.add(asked.name, asked.role, asked.per_minute, asked.max_searches)
    except (InputError, ConflictError) as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return shown(request, service, status, problem=str(error), form=form)
    return shown(request, service, 201, made=asked, secret=secret)


@router.post("/{name}/revoke")
def revoke_key(name: KeyName, service: TheService) -> Response:
    """It opens nothing any more."""
    service.keys.revoke(name)
    return RedirectResponse("/keys", 303)


def to_key(form: Form) -> NewKey:
    """What was typed. Raises InputError."""
    typed = {name: form.get(name) or None for name in NewKey.model_fields}
    try:
        return NewKey.model_validate(typed)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{fault['loc'][0]}: {fault['msg']}") from None


def shown(
    request: Request,
    service: Service,
    status: int = 200,
    problem: str | None = None,
    made: NewKey | None = None,
    secret: str | None = None,
    form: Form | None = None,
) -> Response:
    """The page, with what has just been made or gone wrong."""
    return page(
        request,
        "keys.html",
        status,
        keys=[info(key) for key in service.keys.in_force()],
        lines=service.trail.newest(NEWEST),
        roles=ROLES,
        problem=problem,
        made=made,
        secret=secret,
        form=form or Form({}),
    )
