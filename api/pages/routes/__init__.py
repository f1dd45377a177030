"""The pages, one file a noun."""

from fastapi import APIRouter

from api.pages.routes import boards, compare, keys, new, run, runs, session, trial

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    runs.router,
    new.router,
    run.router,
    trial.router,
    compare.router,
    boards.router,
    keys.router,
)
