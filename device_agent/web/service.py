"""The web application: its middleware and its routes."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware import Middleware

from device_agent.agent import Agent
from device_agent.settings import Settings
from device_agent.web.auth import BearerAuth
from device_agent.web.keys import Keys
from device_agent.web.lifespan import OneLineStart, lifespan
from device_agent.web.limits import BodyLimit
from device_agent.web.observe import Observe
from device_agent.web.problems import add_handlers
from device_agent.web.routes import ROUTERS
from device_agent.web.stop import Stop


def create_app(settings: Settings) -> FastAPI:
    """The service with its middleware: who may come in, then how much they may bring.

    Raises InputError where the keys file cannot be used.
    """
    keys, agent = Keys(settings.key, settings.keys_file), Agent(settings)
    stop = Stop(agent.close)
    limits = (settings.max_upload_bytes, settings.max_request_bytes)
    app = FastAPI(
        title="haq device agent",
        lifespan=lifespan,
        middleware=[
            Middleware(OneLineStart),
            Middleware(Observe, agent.metrics, stop),
            Middleware(BearerAuth, keys),
            Middleware(BodyLimit, *limits),
        ],
    )
    app.state.agent = agent
    app.state.stop = stop
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    return app
