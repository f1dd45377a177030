"""See a search on a server to its end, with its progress and its result here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from haq.cli._fetch import fetch, summary_in
from haq.cli._follow import follow
from haq.cli._leave import leaving
from haq.cli._progress import show_progress
from haq.cli._result import tell_result
from haq.client import Client, Search, ServerError

if TYPE_CHECKING:
    from haq.cli._server import Server


def attend(server: Server, client: Client, search_id: str, folder: Path, as_json: bool) -> None:
    """See a search to its end, fetch what it leaves, and print the result."""
    with leaving(server, {search_id: folder}):
        search = bring(server, client, search_id, folder)
    if missed := why_missed(search):
        raise ServerError(missed)
    tell_result(summary_in(folder), folder / "report.html", as_json)


def bring(server: Server, client: Client, search_id: str, folder: Path) -> Search:
    """See a search to its end and fetch what it leaves."""
    typer.echo(f"search {search_id} on {server.url}", err=True)
    with show_progress() as progress:
        search = follow(client, search_id, progress)
        if search.state == "done":
            fetch(client, search_id, folder, progress)
    return search


def why_missed(search: Search) -> str:
    """What to say of a search that ended without a result, empty for one with a result."""
    if search.state == "failed":
        return f"the search failed on the server: {search.error}"
    if search.state != "done":
        return "the search was cancelled on the server: its trials are kept there"
    return ""
