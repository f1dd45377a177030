"""What happens in a search, as it happens (server-sent events)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.events.cursor import Cursor, parse_cursor
from api.events.hub import Hub
from api.routes._common import SearchId, TheService

router = APIRouter(prefix="/v1/searches/{search_id}", tags=["events"])
RETRY_MS = 1000
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "the place behind it, for Last-Event-ID"},
        "event": {"enum": ["state", "trial", "progress", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""Each event of the stream, as OpenAPI before 3.2 has it described."""


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
)
async def follow(
    search_id: SearchId,
    service: TheService,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    since: Annotated[
        str | None, Query(max_length=40, description="as Last-Event-ID, which goes before it")
    ] = None,
) -> StreamingResponse:
    """Every state, trial and step of progress, from the beginning or behind `Last-Event-ID`.

    Events are `state`, `trial`, `progress` (which has no id: it is not told again) and, when the
    search has ended, `end`: then a client need not connect again.
    """
    await run_in_threadpool(service.jobs.get, search_id)
    cursor = parse_cursor(last_event_id or since)
    return StreamingResponse(
        stream(service.hub, search_id, cursor),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(hub: Hub, search_id: str, cursor: Cursor) -> AsyncIterator[str]:
    """The text of the events."""
    yield f"retry: {RETRY_MS}\n\n"
    async with hub.feed(search_id) as feed:
        async for batch in feed.follow(cursor):
            yield batch.text
