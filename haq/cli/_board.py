"""The board that a command talks to."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haq.board import Board


def open_board(url: str | None, key: str | None) -> AbstractContextManager[Board]:
    """The agent at `url`, or one started on this machine for as long as the context lasts."""
    from haq.board import Board
    from haq.local_board import local_agent

    return local_agent() if url is None else Board(url, key)
