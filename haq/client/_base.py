"""What every part of the client has."""

from __future__ import annotations

from urllib.parse import quote

from haq.client.connection import Connection


class Part:
    """Some of the client's methods, on the connection of all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


def path_of(*names: object) -> str:
    """A path of the service; no name adds a part to it."""
    return "/v1/" + "/".join(quote(str(name), safe="") for name in names)
