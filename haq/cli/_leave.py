"""A search on a server is left to itself, and whoever leaves it is told how to come back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quant.errors import HaqError

if TYPE_CHECKING:
    from haq.cli._server import Server


@contextmanager
def leaving(server: Server, folders: Mapping[str, Path]) -> Iterator[None]:
    """Tell how to come back where the user stops, or the server or the disk here is lost.

    `folders` are those here of searches there, by id; the searches go on. Raises the HaqError of
    the block with that behind it.
    """
    again = [
        command(server, "search", "--follow", search_id, "--out", str(folder))
        for search_id, folder in folders.items()
    ]
    try:
        yield
    except KeyboardInterrupt:
        for search_id, line in zip(folders, again, strict=True):
            typer.echo(f"the server goes on with the search; to follow it: {line}", err=True)
            typer.echo(f"to cancel it: {cancellation(server, search_id)}", err=True)
        raise
    except HaqError as error:
        how = "; or ".join(again)
        raise type(error)(f"{error}; the server has the search, to follow it: {how}") from None


def command(server: Server, *words: str) -> str:
    """A command line of this program, without the key."""
    ca = () if server.ca is None else ("--server-ca", str(server.ca))
    return shlex.join(("haq", "--server", server.url, *ca, *words))


def cancellation(server: Server, search_id: str) -> str:
    """A command line that ends a search for good; it takes the key from the environment."""
    ca = () if server.ca is None else ("--cacert", str(server.ca))
    key = "" if server.key is None else ' -H "Authorization: Bearer $HAQ_SERVER_KEY"'
    url = f"{server.url.rstrip('/')}/v1/searches/{search_id}/cancel"
    return f"{shlex.join(('curl', '-X', 'POST', *ca, url))}{key}"
