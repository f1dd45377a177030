"""The dashboard as a part of the application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from api.pages.routes import ROUTERS

STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Add every page, and the style and script that they share."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
