"""How a job is asked for: under a lease or in the line, and with a key for asking again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from anyio import to_thread
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from device_agent.agent import Agent
from device_agent.memory.idempotency import fingerprint
from device_agent.processes.jobs import StoppingError
from device_agent.turns.leases import Turn
from device_agent.turns.line import LeaseLostError
from device_agent.web.routes._agent import TheAgent

LeaseToken = Annotated[int | None, Header(alias="Haq-Lease", ge=1)]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=r"^[\x20-\x7e]{1,200}$")
]
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class JobCall:
    """A request for a job; `key` is its idempotency key."""

    request: Request
    agent: Agent
    turn: Turn
    key: str | None

    async def answer(self, body: Body, work: Callable[[Body, Turn], BaseModel]) -> Response:
        """The answer of a job, run in a thread of those kept for jobs."""
        run = partial(self.run, body, work)
        content = await (self.run_watched(run) if self.key is None else self.run_once(body, run))
        return Response(content, media_type="application/json")

    def run(self, body: Body, work: Callable[[Body, Turn], BaseModel]) -> bytes:
        """The answer of a job as JSON: so it is kept, and sent again unchanged."""
        self.agent.leases.require(self.turn)
        return work(body, self.turn).model_dump_json().encode()

    async def run_watched(self, run: Callable[[], bytes]) -> bytes:
        """Run a job whose answer goes to this connection alone."""
        watch = asyncio.create_task(self.leave_the_line_when_gone())
        try:
            return await to_thread.run_sync(run, limiter=self.agent.job_threads)
        finally:
            watch.cancel()

    async def run_once(self, body: BaseModel, run: Callable[[], bytes]) -> bytes:
        """Run a job unless the same request was here before; the client may leave and come back."""
        key = (key_owner(self.request) or "", self.key or "")
        mark = fingerprint(self.request.url.path, body.model_dump_json())
        answer = await to_thread.run_sync(
            self.agent.answers.once, key, mark, run, limiter=self.agent.job_threads
        )
        # Whoever asks again waits here, on the event loop, and takes up no thread.
        return await asyncio.shield(asyncio.wrap_future(answer))

    async def leave_the_line_when_gone(self) -> None:
        """Give up a turn that is waited for once the client has closed its connection."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass
        with suppress(LeaseLostError, StoppingError):
            self.agent.leases.release(self.turn.id)


async def get_job_call(
    request: Request,
    agent: TheAgent,
    token: LeaseToken = None,
    key: IdempotencyKey = None,
) -> JobCall:
    """The call for a job that a request makes."""
    return JobCall(request, agent, Turn(client_name(request), token), key)


def key_owner(request: Request) -> str | None:
    """Name of the key that let the request in, where keys have names."""
    name: str | None = request.scope.get("state", {}).get("key_name")
    return name


def client_name(request: Request) -> str:
    """Who asks, for people to read."""
    return key_owner(request) or (request.client.host if request.client else "unknown")


TheJobCall = Annotated[JobCall, Depends(get_job_call)]
