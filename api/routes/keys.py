"""Who may use the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.access.keys import NAME, Key
from api.routes._changing import ChangingRoute
from api.routes._common import Repeatable, TheService
from api.schema import KeyInfo, KeyList, MadeKey, NewKey

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=ChangingRoute)
KeyName = Annotated[str, Path(pattern=f"^{NAME}$", examples=["anna"])]


@router.get("")
def list_keys(service: TheService) -> KeyList:
    """Those in force, without their secrets."""
    return KeyList(keys=[info(key) for key in service.keys.in_force()])


@router.post("", status_code=201)
def make_key(body: NewKey, service: TheService, once: Repeatable = None) -> MadeKey:
    """Make a key. Its secret is shown this once: only its SHA-256 is kept."""
    secret = service.keys.add(body.name, body.role, body.per_minute, body.max_searches)
    made = service.keys.named(body.name) or Key(body.name, body.role)
    return MadeKey(**info(made).model_dump(), secret=secret)


@router.delete("/{name}", status_code=204)
def revoke_key(name: KeyName, service: TheService) -> None:
    """It opens nothing any more, from now on."""
    service.keys.revoke(name)


def info(key: Key) -> KeyInfo:
    """A key as the wire has it."""
    return KeyInfo(
        name=key.name,
        role=key.role,
        per_minute=key.per_minute,
        max_searches=key.max_searches,
        created_at=key.created_at,
    )
