"""`haq boards`."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haq.cli._options import JsonOption, KeyOption

if TYPE_CHECKING:
    from haq.board import Device, Status
    from haq.boards import ListedBoard

app = typer.Typer(
    name="boards", help="The boards that --board knows by name.", invoke_without_command=True
)
COLUMNS = ("name", "url", "address", "cpu", "machine", "ncnn", "16 bits", "load", "°C", "state")
SHOWN = (
    *("name", "url", "address", "cpu", "machine", "ncnn_version", "bits16"),
    *("load_average", "temperature_c"),
)
WIDE = 240
"""Characters of a line where there is no terminal."""


@app.callback()
def boards(context: typer.Context) -> None:
    """The boards that --board knows by name; without a command they are listed."""
    if context.invoked_subcommand is None:
        show_list(as_json=False, board_key=os.environ.get("HAQ_AGENT_KEY"))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Small letters, digits and dashes.")],
    url: Annotated[str, typer.Argument(help="http://HOST:PORT or https://HOST:PORT.")],
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the board's key.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="File that holds the board's key.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority that signed its certificate.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="See whether its agent answers.")
    ] = True,
    board_key: KeyOption = None,
) -> None:
    """Allow a board, at the address that its name has now.

    The list holds no keys: without --key-env and --key-file the board gets the key of --board-key.
    """
    from haq import boards

    file = boards.list_file()
    known = boards.load(file)
    check_addition(name, known, key_env, key_file)
    options = {"key_env": key_env, "key_file": absolute(key_file), "ca": absolute(ca)}
    board = pin(url, options, board_key, check)
    boards.save(file, {**known, name: board})
    typer.echo(f"{name}: {board.url} at {board.address}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a board.")]) -> None:
    """Take a board off the list."""
    from haq import boards

    file = boards.list_file()
    known = boards.load(file)
    boards.find(known, name)
    boards.save(file, {other: board for other, board in known.items() if other != name})


@app.command("list")
def show_list(as_json: JsonOption = False, board_key: KeyOption = None) -> None:
    """Show every board and how it is at the moment."""
    from haq import boards
    from haq.board.parallel import start

    known = boards.load(boards.list_file())
    running = {name: start(partial(look, board, board_key)) for name, board in known.items()}
    rows = [make_row(name, known[name], answer.result()) for name, answer in running.items()]
    if as_json:
        print(json.dumps(rows))
    elif rows:
        print_rows(rows)
    else:
        typer.echo("no boards yet: haq boards add NAME http://HOST:PORT", err=True)


def check_addition(
    name: str, known: dict[str, ListedBoard], key_env: str | None, key_file: Path | None
) -> None:
    """Raises InputError for a name that cannot be given, and for two places of a key."""
    from haq.boards import NAME
    from quant.errors import InputError

    if not re.fullmatch(NAME, name):
        raise InputError(
            f"'{name}' is no name for a board: take 1 to 40 small letters, digits and dashes"
        )
    if name in known:
        raise InputError(f"a board is called '{name}' already: `haq boards remove {name}` first")
    if key_env and key_file:
        raise InputError("a board has one key: give --key-env or --key-file")


def pin(url: str, options: dict[str, Any], key: str | None, check: bool) -> ListedBoard:
    """The board at the first address of its name, or with `check` at the first that answers.

    Raises InputError, and BoardError where none answers.
    """
    from haq.board.address import resolve
    from haq.boards import ListedBoard
    from quant.errors import BoardLostError

    found = [ListedBoard(url=url, address=address, **options) for address in resolve(url)]
    for board in found:
        answer = look(board, key) if check else None
        if isinstance(answer, BoardLostError) and board is not found[-1]:
            continue
        if isinstance(answer, Exception):
            raise answer
        return board
    raise AssertionError("the loop returns or raises at the last address")


def look(board: ListedBoard, key: str | None) -> tuple[Device, Status] | Exception:
    """What the board is and how it is, or why that is not known."""
    from haq.connect import silence_retries
    from quant.errors import HaqError

    silence_retries()
    try:
        with board.open(key) as client:
            status = client.status()
            return client.describe(), status
    except HaqError as error:
        return error


def make_row(
    name: str, board: ListedBoard, found: tuple[Device, Status] | Exception
) -> dict[str, Any]:
    """A board as JSON; what is not known is null, and `error` says why."""
    row = {"name": name, "url": board.url, "address": board.address}
    if isinstance(found, Exception):
        return {**row, "error": str(found)}
    device, status = found
    conditions = status.conditions
    return {
        **row,
        "error": None,
        "cpu": device.cpu,
        "machine": device.machine,
        "ncnn_version": device.ncnn_version,
        "bits16": device.bits16,
        "load_average": conditions.get("load_average"),
        "temperature_c": conditions.get("temperature_c"),
        "throttled": conditions.get("throttled"),
        "holder": status.lease.client if status.lease else None,
        "waiting": status.waiting,
        "running": status.running,
    }


def print_rows(rows: list[dict[str, Any]]) -> None:
    """The boards as a table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=None)
    for row in rows:
        cells = [cell(row.get(key)) for key in SHOWN]
        table.add_row(*map(Text, [*cells, state(row)]))
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)


def cell(value: object) -> str:
    """A value in as few characters as people need."""
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def state(row: dict[str, Any]) -> str:
    """Who has the board, or what is wrong with it."""
    if row["error"] is not None:
        return str(row["error"])
    holder = "free" if row["holder"] is None else f"held by {row['holder']}"
    parts = [holder, f"{row['waiting']} waiting" if row["waiting"] else ""]
    return ", ".join(filter(None, [*parts, "throttled" if row["throttled"] else ""]))


def absolute(path: Path | None) -> Path | None:
    """A path that means the same in every folder."""
    return None if path is None else path.absolute()
