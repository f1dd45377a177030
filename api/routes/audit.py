"""Who changed what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.routes._common import TheService
from api.schema import Audit

router = APIRouter(prefix="/v1/audit", tags=["keys"])


@router.get("")
def list_audit(service: TheService, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Audit:
    """The newest changes first."""
    return Audit(lines=service.trail.newest(limit))
