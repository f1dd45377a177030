"""`haq serve`, `haq worker` and `haq keys`: found by the program as an entry point."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.access.keys import Keys

keys = typer.Typer(name="keys", help="The keys of the service.", no_args_is_help=True)


class Role(str, Enum):
    """What a key may do."""

    read = "read"
    run = "run"
    admin = "admin"


def serve(
    host: Annotated[
        str | None, typer.Option(help="[default: HAQ_SERVICE_HOST or 127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(help="[default: HAQ_SERVICE_PORT or 8200]")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Searches at once [default: HAQ_SERVICE_WORKERS or 1]."),
    ] = None,
) -> None:
    """Serve searches and their dashboard; other settings come from HAQ_SERVICE_* variables."""
    from api.serve import serve as run
    from api.settings import load_settings

    given = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in given.items() if value is not None}
    run(load_settings().model_copy(update=changes))


def worker() -> None:
    """Carry out searches of the service with the same HAQ_SERVICE_* settings, on any machine."""
    from api.workers.__main__ import main

    main()


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[Role, typer.Option(help="read: look; run: search; admin: keys, boards.")],
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute.")] = None,
    max_searches: Annotated[int | None, typer.Option(min=1, help="Unfinished searches.")] = None,
) -> None:
    """Make a key and print it, this once."""
    typer.echo(open_keys().add(name, role.value, per_minute, max_searches))


@keys.command("list")
def list_keys() -> None:
    """The names and roles of the keys in force."""
    for key in open_keys().in_force():
        typer.echo(f"{key.name}  {key.role}")


@keys.command("revoke")
def revoke_key(name: str) -> None:
    """Have a key open nothing any more."""
    open_keys().revoke(name)


def open_keys() -> Keys:
    """The keys in the store of the settings. Raises HaqError."""
    from api.access.keys import Keys
    from api.settings import load_settings
    from api.store import open_database
    from haq.store.run_folder import make_folder

    settings = load_settings()
    make_folder(settings.data_dir)
    return Keys(open_database(settings.store_url), settings.admin_key)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(serve)
    app.command()(worker)
    app.add_typer(keys)
