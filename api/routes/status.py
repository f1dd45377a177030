"""Whether the service lives, can work, and how it does."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

from api.routes._common import TheService
from api.schema import Health

router = APIRouter(tags=["status"])


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the service answers; needs no key."""
    return Health()


@router.get("/readyz")
def readyz(service: TheService) -> Health:
    """Whether its store answers, too; needs no key."""
    service.database.read(text("SELECT 1"))
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: TheService) -> Response:
    """Numbers for Prometheus."""
    found = service.metrics.to_text(service.jobs.by_state(), service.hub.followers)
    return Response(found, media_type="text/plain; version=0.0.4; charset=utf-8")
