"""The boards, as they are now."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.boards import look_at_all
from api.noise import add_noise
from api.pages.charts.noise import noise_curve
from api.pages.render import page
from api.routes._common import TheService
from api.schema import Board

router = APIRouter(prefix="/boards")


@router.get("")
def show_boards(request: Request, service: TheService) -> Response:
    """Each is asked."""
    found = look_at_all(service.settings.boards_file)
    boards = add_noise(found, service.jobs, service.database)
    curves = {board.name: noise_curve(board.name, points(board)) for board in boards}
    return page(request, "boards.html", boards=boards, curves=curves)


def points(board: Board) -> list[tuple[float, float]]:
    """Seconds since 1970 and noise of what a board measured."""
    return [(one.measured_at.timestamp(), one.noise) for one in board.noise]
