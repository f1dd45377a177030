"""Addresses of the same page, seen otherwise."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request


def changed(request: Request, **changes: Any) -> str:
    """The query with other values for some names; None leaves a name out."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if value]
    kept = [(name, value) for name, value in kept if name not in changes]
    given = [(name, value) for name, value in changes.items() if value is not None]
    return f"?{urlencode([*kept, *given])}"
