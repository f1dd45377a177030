"""From a template to an answer that a browser shows, and that runs nothing but our own script."""

from __future__ import annotations

from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from api.access.keys import Key
from api.access.roles import may
from api.access.sessions import COOKIE
from api.pages import words

CONTENT_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PAGES = Environment(
    loader=PackageLoader("api", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.filters |= words.FILTERS


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page with what all pages show: where one is, who one is, and what one may do."""
    text = PAGES.get_template(template).render(**who(request), **values)
    return HTMLResponse(text, status, HEADERS)


def who(request: Request) -> dict[str, Any]:
    """Of the key of a request; nobody may do anything."""
    key: Key | None = getattr(request.state, "key", None)
    return {
        "here": request.url.path,
        "key_name": key.name if key else None,
        "may_run": key is not None and may(key.role, "run"),
        "may_admin": key is not None and may(key.role, "admin"),
        "signed_in": COOKIE in request.cookies,
    }
