"""The boards that the server knows."""

from __future__ import annotations

from collections.abc import Sequence

from haq.client._base import Part, path_of
from haq.client.answers import Board, read_board, read_boards


class Boards(Part):
    """The client's methods about them."""

    def boards(self) -> Sequence[Board]:
        """The operator's list, and what each board answers now."""
        return self._connection.get(path_of("boards"), read_boards)

    def add_board(self, name: str, url: str, key_env: str | None = None) -> Board:
        """Add a board on a host that the operator allows.

        `key_env` is the server's variable that holds the board's key, HAQ_BOARD_KEY_... by name.
        """
        body = {"name": name, "url": url, "key_env": key_env}
        return self._connection.post(path_of("boards"), read_board, body)
