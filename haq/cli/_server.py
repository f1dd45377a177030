"""`haq --server URL search`: the same search on a server, its progress and its result here."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from haq.cli._typed import typed_options
from quant.errors import InputError

if TYPE_CHECKING:
    from haq.client import Client
    from haq.search.asked import Asked

HERE_ONLY = frozenset(
    {
        *("resume", "store", "workers", "ray", "device", "table", "energy_table", "cores"),
        *("board_key", "board_ca", "patience"),
    }
)
"""Options about what is here; a server has its own, or nothing of the kind."""
OF_WEIGHTS = frozenset({"input_size", "padding"})
WITH_FOLLOW = frozenset({"follow", "out", "as_json"})


@dataclass(frozen=True)
class Server:
    """Where searches run, by the options of the program; its text has no key."""

    url: str
    key: str | None = field(default=None, repr=False)
    ca: Path | None = None

    def open(self) -> Client:
        """Its client, to be closed. Raises InputError."""
        from haq.client import Client
        from haq.connect import silence_retries

        silence_retries()
        return Client(self.url, self.key, self.ca)


def check_options(context: typer.Context) -> None:
    """Raise InputError for options of `haq search` that mean nothing where it is to run."""
    typed = typed_options(context)
    if context.obj is None and "follow" in typed:
        raise InputError("--follow takes a server: haq --server URL search --follow ID")
    if context.obj is None:
        return
    if "follow" in typed:
        refuse(typed, typed.keys() - WITH_FOLLOW, "--follow takes all settings from the search")
    refuse(typed, HERE_ONLY, "a search on a server takes no options about this machine")
    if "weights" not in typed:
        refuse(typed, OF_WEIGHTS, "on a server they go with --weights")


def refuse(typed: Mapping[str, str], names: Container[str], reason: str) -> None:
    """Raise InputError that names those of some options that were typed."""
    found = [option for name, option in typed.items() if name in names]
    if found:
        raise InputError(f"{reason}: leave out {', '.join(found)}")


def search_there(
    server: Server, asked: Asked, boards: Sequence[str], folder: Path, as_json: bool
) -> None:
    """Begin a search, follow it, fetch what it leaves and print the result. Raises HaqError."""
    from haq.cli._attend import attend
    from haq.cli._fetch import check_new
    from haq.cli._spec import make_spec, read_bounds
    from haq.cli._sweep import sweep_there

    check_new(folder)
    bounds = read_bounds(asked)
    with closing(server.open()) as client:
        spec = make_spec(client, asked, boards)
        if bounds:
            sweep_there(server, client, spec, bounds, folder, as_json)
        else:
            attend(server, client, client.begin(spec).id, folder, as_json)


def follow_there(server: Server, search_id: str, folder: Path, as_json: bool) -> None:
    """The same for a search that has begun. Raises HaqError."""
    from haq.cli._attend import attend

    with closing(server.open()) as client:
        client.search(search_id)
        attend(server, client, search_id, folder, as_json)
