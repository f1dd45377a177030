"""Sign in with a key, and out again."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.access.guard import is_foreign
from api.access.keys import Key
from api.access.sessions import COOKIE
from api.errors import ForbiddenError
from api.pages.forms import TheForm
from api.pages.render import HEADERS, page
from api.routes._common import TheService
from api.service import Service

router = APIRouter()
HOME = "/"
Next = Annotated[str, Query(alias="next", max_length=4000)]


@router.get("/login")
def ask_for_key(request: Request, onward: Next = HOME) -> Response:
    """The form."""
    return page(request, "login.html", onward=inside(onward), problem=None)


@router.post("/login")
def sign_in(request: Request, service: TheService, form: TheForm) -> Response:
    """A cookie for who knows a key, and on to where one wanted to go."""
    if is_foreign(request.scope):
        raise ForbiddenError("a page of another site may not sign you in here")
    onward, key = inside(form.get("next", HOME)), service.keys.find(form.get("key").encode())
    if key is None:
        problem = "This key is not known here, or was revoked."
        return page(request, "login.html", 401, onward=onward, problem=problem)
    response = RedirectResponse(onward, 303, HEADERS)
    set_cookie(request, response, service, key)
    return response


@router.post("/logout")
def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    response = RedirectResponse("/login", 303, HEADERS)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=is_secure(request))
    return response


def set_cookie(request: Request, response: Response, service: Service, key: Key) -> None:
    """One that no script reads and no other site sends."""
    response.set_cookie(
        COOKIE,
        service.sessions.issue(key.name),
        max_age=int(service.sessions.lifetime_s),
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )


def is_secure(request: Request) -> bool:
    """Whether the browser came by https; before a proxy with TLS its own word says so."""
    origin = urlsplit(request.headers.get("origin", ""))
    return "https" in (request.url.scheme, origin.scheme)


def inside(onward: str) -> str:
    """An address of this site, or the first page instead of any other.

    Browsers drop line breaks, take backslashes for slashes, and two slashes for another host.
    """
    is_ours = onward.startswith("/") and not onward.startswith("//")
    return onward if is_ours and onward.isprintable() and "\\" not in onward else HOME
