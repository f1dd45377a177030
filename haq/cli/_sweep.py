"""A sweep on a server: a search for each bound there, its results and their front here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from haq.cli._attend import bring, why_missed
from haq.cli._fetch import summary_in
from haq.cli._leave import leaving
from haq.cli._result import tell_result
from haq.client import Client, SearchSpec, ServerError
from haq.report.page import write_front
from haq.search.front import join
from haq.store.run_folder import bound_folder, write_json

if TYPE_CHECKING:
    from haq.cli._server import Server

MOST_COMPARED = 4
"""So many searches stand side by side on the server's page."""


def sweep_there(
    server: Server,
    client: Client,
    spec: SearchSpec,
    bounds: Mapping[str, tuple[str, ...]],
    folder: Path,
    as_json: bool,
) -> None:
    """Search with the budgets of every bound, and join what was found. Raises HaqError."""
    ids = begin_all(client, spec, bounds)
    missed = bring_all(server, client, ids, folder)
    found = {
        bound: summary_in(folder / bound_folder(bound)) for bound in ids if bound not in missed
    }
    summary = join(str(folder), found, {bound: bound_folder(bound) for bound in ids}, missed)
    write_json(folder / "summary.json", summary)
    tell_compared(server, list(ids.values()))
    tell_result(summary, write_front(folder, summary), as_json)


def begin_all(
    client: Client, spec: SearchSpec, bounds: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """The id of a new search for each bound; none is left where one is refused. Raises HaqError."""
    ids: dict[str, str] = {}
    try:
        for bound, budgets in bounds.items():
            ids[bound] = client.begin(replace(spec, budgets=budgets)).id
    except BaseException:
        for search_id in ids.values():
            with suppress(ServerError):
                client.cancel(search_id)
        raise
    return ids


def bring_all(
    server: Server, client: Client, ids: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """See all searches to their end, one after another; why some have no result, by bound."""
    folders = {search_id: folder / bound_folder(bound) for bound, search_id in ids.items()}
    missed = {}
    with leaving(server, folders):
        for bound, search_id in ids.items():
            why = why_missed(bring(server, client, search_id, folders[search_id]))
            if why:
                missed[bound] = why
    return missed


def tell_compared(server: Server, ids: list[str]) -> None:
    """Where they stand side by side."""
    if len(ids) <= MOST_COMPARED:
        query = "&".join(f"run={search_id}" for search_id in ids)
        typer.echo(f"side by side: {server.url.rstrip('/')}/compare?{query}", err=True)
