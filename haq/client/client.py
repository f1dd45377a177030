"""The client of one server: all its parts on one connection."""

from __future__ import annotations

from pathlib import Path

import httpx2

from haq.client.artifacts import Artifacts
from haq.client.boards import Boards
from haq.client.connection import TIMEOUT_S, Connection
from haq.client.datasets import Datasets
from haq.client.events import Events
from haq.client.keys import Keys
from haq.client.models import Models
from haq.client.searches import Searches
from haq.client.trials import Trials


class Client(Searches, Trials, Events, Artifacts, Models, Datasets, Boards, Keys):
    """The service at a URL. Its methods raise ServerError; it may be used from several threads."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        ca: Path | None = None,
        transport: httpx2.BaseTransport | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`ca` is a PEM file of the authority that signed the server's certificate.

        An answer may take `timeout_s`. Raises InputError.
        """
        super().__init__(Connection(url, key, ca, transport, timeout_s))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
