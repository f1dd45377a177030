"""What routes need of the application."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request

from api.access.keys import Key
from api.idempotency import HEADER
from api.service import Service


# Coroutines, since FastAPI would take a thread for each function that is none.
async def the_service(request: Request) -> Service:
    """The service that the application was made with."""
    service: Service = request.app.state.service
    return service


async def the_key(request: Request) -> Key:
    """The key that the guard has let in."""
    key: Key = request.state.key
    return key


TheService = Annotated[Service, Depends(the_service)]
TheKey = Annotated[Key, Depends(the_key)]
SearchId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["0" * 32])]
Repeatable = Annotated[
    str | None,
    Header(
        alias=HEADER,
        pattern=r"^[!-~]{1,200}$",
        description="any text of your own: the same request sent again with it is done once",
    ),
]
PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Problem (RFC 9457)",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    },
}
