"""Routes that change something: done once for each idempotency key, and noted in the audit."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.idempotency import HEADER, Answer, fingerprint
from api.service import Service
from device_agent.web.problems import problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
SECRETS = frozenset({"secret"})
"""Fields of an answer that are not kept: who asks again gets null."""


class ChangingRoute(APIRoute):
    """A route of which every POST may carry an `Idempotency-Key`."""

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        handle, action = super().get_route_handler(), self.name
        is_parsed = self.body_field is not None

        async def answer(request: Request) -> Response:
            if request.method in {"GET", "HEAD"}:
                return await handle(request)
            service: Service = request.app.state.service
            response = await once(service, request, handle, is_parsed)
            name = request.state.key_name
            target = request.url.path
            await run_in_threadpool(service.trail.note, name, action, target, response.status_code)
            return response

        return answer


async def once(
    service: Service,
    request: Request,
    handle: Callable[[Request], Awaitable[Response]],
    is_parsed: bool,
) -> Response:
    """The answer, or the earlier one to the same request."""
    given = request.headers.get(HEADER)
    if request.method != "POST" or given is None:
        return await handle(request)
    if not re.fullmatch(r"[!-~]{1,200}", given):
        return problem(422, f"{HEADER} has 1 to 200 visible ASCII characters")
    name, mark = request.state.key_name, await fingerprint_of(request, is_parsed)
    earlier = await run_in_threadpool(service.answers.begin, name, given, mark)
    if earlier is not None:
        again = {"Idempotent-Replayed": "true", **earlier.headers}
        return JSONResponse(earlier.body, earlier.status, again)
    try:
        response = await handle(request)
    except BaseException:
        await run_in_threadpool(service.answers.forget, name, given)
        raise
    body = json.loads(bytes(response.body) or b"null")
    location = response.headers.get("location")
    answer = Answer(response.status_code, without_secrets(body), location)
    await run_in_threadpool(service.answers.finish, name, given, answer)
    return response


async def fingerprint_of(request: Request, is_parsed: bool) -> str:
    """Of method, address and body; of one that is not parsed what its headers say of it.

    That may be a model, which is never held in memory.
    """
    target = f"{request.url.path}?{request.url.query}"
    if is_parsed:
        return fingerprint(request.method, target, await request.body())
    said = [request.headers.get(n, "") for n in ("repr-digest", "content-length")]
    return fingerprint(request.method, target, " ".join(said).encode())


def without_secrets(body: Any) -> Any:
    """An answer as it is kept."""
    if not isinstance(body, dict):
        return body
    return {name: None if name in SECRETS else value for name, value in body.items()}
