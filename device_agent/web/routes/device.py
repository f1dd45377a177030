"""Whether the agent lives, and what its board is."""

from __future__ import annotations

from fastapi import APIRouter

from device_agent.schema import Device, Health
from device_agent.web.routes._agent import TheAgent

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the service answers; needs no key. On the event loop, so that jobs waiting in the
    pool of threads cannot hold it up."""
    return Health()


@router.get("/v1/device")
def device(agent: TheAgent) -> Device:
    """What the board is and what its ncnn can do."""
    return agent.device
