"""The web application: its middleware, its routes and its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from api.access.guard import Guard
from api.limits import BodyLimit
from api.openapi import describe
from api.pages.problems import ProblemPages
from api.pages.site import add_pages
from api.problems import add_handlers
from api.routes import ROUTERS
from api.routes._common import PROBLEM
from api.service import Service
from api.settings import Settings
from device_agent.web.lifespan import OneLineStart
from device_agent.web.logs import log
from device_agent.web.observe import Observe
from device_agent.web.stop import Stop


def create_app(settings: Settings) -> FastAPI:
    """The service with its middleware: who may come in, then how much they may bring.

    Raises InputError or StorageError where the data folder or the store cannot be used.
    """
    service = Service(settings)
    stop = Stop(service.crew.close)
    limits = (settings.max_upload_bytes, settings.max_request_bytes)
    app = FastAPI(
        title="haq",
        summary="Layer-by-layer precision search as a service",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # these pages load from other hosts
        redoc_url=None,
        responses=PROBLEM,
        middleware=[
            Middleware(OneLineStart),
            Middleware(ProblemPages),
            Middleware(Observe, service.metrics, stop),
            Middleware(Guard, service.gate),
            Middleware(BodyLimit, *limits),
        ],
    )
    app.state.service, app.state.stop = service, stop
    for router in ROUTERS:
        app.include_router(router)
    add_pages(app)
    add_handlers(app)
    describe(app)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the workers; at the end their searches are back in the queue."""
    service: Service = app.state.service
    stop: Stop = app.state.stop
    with stop.on_signals():
        service.start()
        log.info("started", data_dir=str(service.settings.data_dir))
        try:
            yield
        finally:
            await run_in_threadpool(service.close)
    log.info("stopped")
