"""The operator's boards: looked at, and added where their hosts are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from api.errors import ConflictError, ForbiddenError
from api.schema import Board, NewBoard
from api.settings import Settings
from haq import boards
from haq.board.address import resolve
from quant.errors import BoardError, InputError

AT_ONCE = 8
_one_at_a_time = Lock()
"""The list is read and written whole."""


def look_at_all(file: Path) -> list[Board]:
    """Every listed board and what it answers now, asked side by side. Raises InputError."""
    listed = boards.load(file)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look_at, listed, listed.values()))


def look_at(name: str, listed: boards.ListedBoard) -> Board:
    """One board; it is asked once, since somebody waits."""
    try:
        with closing(listed.open()) as board:
            status, device = asdict(board.status()), asdict(board.describe())
    except (BoardError, InputError) as error:
        return Board(name=name, url=listed.url, reachable=False, problem=str(error))
    device["types16"] = sorted(device["types16"])
    return Board(name=name, url=listed.url, reachable=True, device=device, status=status)


def add_board(settings: Settings, body: NewBoard) -> Board:
    """Keep a board at the address that its name has now.

    Raises ForbiddenError for a host that the operator does not allow, ConflictError where the name
    is another board's, InputError.
    """
    check_host(body.url, settings.board_hosts)
    addresses = resolve(body.url)
    made = boards.ListedBoard(url=body.url, address=addresses[0], key_env=body.key_env)
    with _one_at_a_time:
        listed = boards.load(settings.boards_file)
        if body.name in listed and listed[body.name] != made:
            raise ConflictError(f"the board {body.name} is another one: take another name")
        boards.save(settings.boards_file, {**listed, body.name: made})
    return look_at(body.name, made)


def check_host(url: str, allowed: Sequence[str]) -> None:
    """Raise ForbiddenError unless the operator allows the host, at this port if one is named."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise InputError("a board's address is expected as http://HOST:PORT") from None
    places = {(parts.hostname or "").lower(), f"{(parts.hostname or '').lower()}:{port}"}
    if not places & {place.lower() for place in allowed}:
        raise ForbiddenError(
            "the board's host is not one that the operator allows (HAQ_SERVICE_BOARD_HOSTS)"
        )
