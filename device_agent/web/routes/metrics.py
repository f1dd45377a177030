"""Numbers for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from device_agent.web.routes._agent import TheAgent

router = APIRouter()


@router.get("/metrics", response_class=Response)
def metrics(agent: TheAgent) -> Response:
    """Requests, jobs, the queue and the process, in Prometheus' text format."""
    now = agent.leases.occupation()
    agent.metrics.observe_queue(int(now.running), now.waiting)
    return Response(agent.metrics.to_text(), media_type=CONTENT_TYPE_LATEST)
