"""Connections to the boards that a search or a command is to use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haq.board import Board, Fleet, OneBoard

Tell = Callable[[str], None]


def silent(text: str) -> None:
    """Tell nobody."""


@contextmanager
def open_board(
    board: str | None, key: str | None, ca: Path | None = None, tell: Tell = silent
) -> Iterator[Board]:
    """The board of a listed name or a URL, or an agent on this machine for as long as it is open.

    `tell` hears what is waited for. Raises InputError.
    """
    from haq.local_board import local_agent

    silence_retries()
    with local_agent() if board is None else connect(board, key, ca, tell) as found:
        yield found


@contextmanager
def open_boards(
    boards: Sequence[str],
    key: str | None,
    ca: Path | None = None,
    tell: Tell = silent,
    on_ray: bool = False,
) -> Iterator[OneBoard | Fleet]:
    """As `open_board`, but several boards share the work. Raises InputError.

    `on_ray` says that this process is connected to a Ray cluster: its boards are asked there.
    """
    from haq.board import Fleet

    reach = connect_on_ray if on_ray else connect
    if not boards:
        with open_board(None, key, ca, tell) as board:
            yield board
    elif len(boards) == 1:
        with closing(reach(boards[0], key, ca, tell)) as one:
            yield one
    else:
        with Fleet([reach(board, key, ca, tell) for board in boards], tell) as fleet:
            yield fleet


def connect_on_ray(board: str, key: str | None, ca: Path | None, tell: Tell) -> OneBoard:
    """A board that the cluster offers by its name, else as `connect`. Raises InputError."""
    from haq.parallel.ray_board import RayBoard, has_board

    return RayBoard(board) if has_board(board) else connect(board, key, ca, tell)


def connect(board: str, key: str | None, ca: Path | None, tell: Tell) -> Board:
    """The client of one board: as the list has it, or at a URL. Raises InputError."""
    from haq import boards
    from haq.board import Board

    silence_retries()
    if re.fullmatch(boards.NAME, board):
        return boards.find(boards.load(boards.list_file()), board).open(key, tell)
    return Board(board, key, ca=ca, tell=tell)


def silence_retries() -> None:
    """Further attempts are logged by default, on standard output, which belongs to the result."""
    import stamina.instrumentation

    stamina.instrumentation.set_on_retry_hooks([])
