"""The boards that networks are measured on."""

from __future__ import annotations

from fastapi import APIRouter

from api.boards import add_board, look_at_all
from api.noise import add_noise
from api.routes._changing import ChangingRoute
from api.routes._common import Repeatable, TheService
from api.schema import Board, Boards, NewBoard

router = APIRouter(prefix="/v1/boards", tags=["boards"], route_class=ChangingRoute)


@router.get("")
def list_boards(service: TheService) -> Boards:
    """The operator's list, and what each board answers now."""
    found = look_at_all(service.settings.boards_file)
    return Boards(boards=add_noise(found, service.jobs, service.database))


@router.post("", status_code=201)
def register_board(body: NewBoard, service: TheService, once: Repeatable = None) -> Board:
    """Add a board on a host that the operator allows; the role admin is needed."""
    return add_board(service.settings, body)
