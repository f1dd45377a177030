"""The boards, as they are now."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.boards import look_at_all
from api.pages.render import page
from api.routes._common import TheService

router = APIRouter(prefix="/boards")


@router.get("")
def show_boards(request: Request, service: TheService) -> Response:
    """Each is asked."""
    return page(request, "boards.html", boards=look_at_all(service.settings.boards_file))
