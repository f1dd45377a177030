"""Exclusive use of the board over several requests."""

from __future__ import annotations

from fastapi import APIRouter

from device_agent.schema import LeaseRequest, LeaseState
from device_agent.turns.line import Place
from device_agent.web.routes._agent import TheAgent

router = APIRouter()


@router.post("/v1/leases", status_code=201)
def acquire(body: LeaseRequest, agent: TheAgent) -> LeaseState:
    """Stand in the line; the lease is held at once where the board is free."""
    return state(agent.leases.acquire(body.client, body.ttl_s))


@router.put("/v1/leases/{identity}")
def renew(identity: str, agent: TheAgent) -> LeaseState:
    """The heartbeat: sent more often than every ttl_s, while waiting too."""
    return state(agent.leases.renew(identity))


@router.delete("/v1/leases/{identity}", status_code=204)
def release(identity: str, agent: TheAgent) -> None:
    """Let the next one have the board, after a job that still runs."""
    agent.leases.release(identity)


def state(place: Place) -> LeaseState:
    """A place in the line as clients see it."""
    lease = place.lease
    return LeaseState(
        id=lease.id,
        state="waiting" if lease.token is None else "held",
        position=place.position,
        token=lease.token,
        ttl_s=lease.ttl_s,
        expires_in_s=place.expires_in_s,
    )
