"""The search service: `haq serve`, or `uvicorn api:app`. Imports no torch.

Settings come from HAQ_SERVICE_* variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    app: FastAPI


def __getattr__(name: str) -> FastAPI:
    """Make `app` when it is asked for: workers import this package without it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from api.serve import make_app_for_uvicorn

    globals()["app"] = created = make_app_for_uvicorn()
    return created
