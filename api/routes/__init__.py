"""The routes of the service, one file a noun."""

from fastapi import APIRouter

from api.routes import (
    artifacts,
    audit,
    boards,
    datasets,
    events,
    keys,
    models,
    searches,
    status,
    trials,
)

ROUTERS: tuple[APIRouter, ...] = (
    searches.router,
    trials.router,
    events.router,
    artifacts.router,
    models.router,
    datasets.router,
    boards.router,
    keys.router,
    audit.router,
    status.router,
)
