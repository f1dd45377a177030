"""The trials that the service keeps at hand, for pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.known import KnownTrials


def the_known(request: Request) -> KnownTrials:
    """Those of the application."""
    found: KnownTrials = request.app.state.service.known
    return found


TheKnown = Annotated[KnownTrials, Depends(the_known)]
