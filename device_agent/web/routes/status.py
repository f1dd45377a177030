"""What the board is doing right now."""

from __future__ import annotations

import math

from fastapi import APIRouter

from device_agent.measuring.conditions import conditions
from device_agent.schema import Conditions, Holder, Status
from device_agent.turns.line import Place
from device_agent.web.routes._agent import TheAgent

router = APIRouter()


@router.get("/v1/status")
def status(agent: TheAgent) -> Status:
    """Who has the board, how many wait for it, and the state of the machine."""
    now = agent.leases.occupation()
    return Status(
        lease=holder(now.holder, agent.settings.job_timeout_s),
        waiting=now.waiting,
        running=now.running,
        conditions=Conditions(**conditions(1, "thread_cpu")),
    )


def holder(place: Place | None, job_timeout_s: float) -> Holder | None:
    """The lease that holds the board, as everybody may see it."""
    if place is None:
        return None
    left_s = job_timeout_s if math.isinf(place.expires_in_s) else place.expires_in_s
    return Holder(client=place.lease.client, expires_in_s=left_s)
