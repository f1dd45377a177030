"""The start and the end of the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from device_agent.agent import Agent
from device_agent.processes.lifeline import exit_when_stdin_closes
from device_agent.web.logs import log
from device_agent.web.sole_use import sole_use
from device_agent.web.stop import Stop
from quant.errors import InputError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Prepare the data folder; tie the service to its parent where that is asked for; at the end,
    leave no child behind. Raises InputError where the data folder cannot be used."""
    agent: Agent = app.state.agent
    stop: Stop = app.state.stop
    with sole_use(agent.settings.data_dir), stop.on_signals():
        prepare(agent)
        if agent.settings.exit_with_parent:
            exit_when_stdin_closes()
        log.info("started", data_dir=str(agent.settings.data_dir))
        try:
            yield
        finally:
            await run_in_threadpool(agent.close)
    log.info("stopped")


def prepare(agent: Agent) -> None:
    """Make the agent's folders. Raises InputError where that fails."""
    try:
        agent.prepare()
    except OSError as error:
        folder = agent.settings.data_dir
        raise InputError(f"the data folder {folder} cannot be used: {error}") from None


class OneLineStart:
    """ASGI middleware: where the start fails for an InputError, servers get its line to log instead
    of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch the lifespan; requests just pass."""

        async def shortened(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                message = {**message, "message": shorten(message["message"])}
            await send(message)

        await self.app(scope, receive, shortened if scope["type"] == "lifespan" else send)


def shorten(traceback: str) -> str:
    """The text of the InputError that a traceback ends with, or the traceback of any other."""
    last = traceback.rstrip().rpartition("\n")[2]
    kind, _, text = last.partition(": ")
    return text if kind.rpartition(".")[2] == InputError.__name__ else traceback
