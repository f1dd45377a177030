"""Registration of float networks."""

from __future__ import annotations

from fastapi import APIRouter

from device_agent.schema import NetworkId, NetworkRequest
from device_agent.web.routes._agent import TheAgent

router = APIRouter()


@router.post("/v1/networks")
def register_network(body: NetworkRequest, agent: TheAgent) -> NetworkId:
    """Check and remember a float network whose files were uploaded."""
    return NetworkId(id=agent.networks.register(body.to_record()))
