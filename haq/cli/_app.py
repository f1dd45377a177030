"""The command tree, and the one place where errors become a line and an exit code."""

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from haq.cli import boards
from haq.cli._interrupt import INTERRUPTED, unmasked
from haq.cli._server import Server
from haq.cli._typed import is_typed
from haq.cli.cost import cost
from haq.cli.evaluate import evaluate
from haq.cli.export import export
from haq.cli.finetune import finetune
from haq.cli.measure import measure
from haq.cli.models import models
from haq.cli.profile import profile
from haq.cli.quantize import quantize
from haq.cli.report import report
from haq.cli.search import search
from haq.cli.train import train
from quant.errors import HaqError, InputError

OURS = frozenset({"haq", "env", "quant", "device_agent", "api"})
MORE_COMMANDS = "haq.commands"
"""Entry points of packages above this one: functions that add commands to the program."""

app = typer.Typer(
    name="haq",
    help="Search the precision of every layer of a network, measured on the board that runs it.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(search, evaluate, quantize, measure, profile, cost),
    *(export, report, train, finetune, models),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(boards.app)
for found in entry_points(group=MORE_COMMANDS):
    found.load()(app)


@app.callback()
def _root(
    context: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(
            envvar="HAQ_SERVER",
            metavar="URL",
            help="Search on a server (haq serve) instead of here: http://HOST:PORT.",
        ),
    ] = None,
    server_key: Annotated[
        str | None, typer.Option(envvar="HAQ_SERVER_KEY", help="A key of the server.")
    ] = None,
    server_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="HAQ_SERVER_CA",
            help="PEM file of the authority that signed the server's certificate.",
        ),
    ] = None,
) -> None:
    """Search the precision of every layer of a network, measured on the board that runs it."""
    if not server:
        return
    if context.invoked_subcommand == "search":
        context.obj = Server(server, server_key, server_ca)
    elif is_typed(context, "server"):
        raise InputError("only `haq search` runs on a server: leave out --server")


def main() -> None:
    """Run the program: 0 is success, 2 what the user can mend, told in one line."""
    try:
        with unmasked():
            code = app(args=sys.argv[1:] or ["--help"], prog_name="haq", standalone_mode=False)
        # Without its standalone mode typer returns the code of an interrupt instead of raising it.
        if code == INTERRUPTED:
            fail("interrupted", INTERRUPTED)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in OURS:
            raise
        fail(f"{error.name} is not installed: pip install 'haq[search]'", 1)
    except typer.TyperException as error:
        fail(" ".join(wording(error).split()), 2)
    except HaqError as error:
        fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", INTERRUPTED)


def wording(error: typer.TyperException) -> str:
    """What is wrong with the command line, with the option's name where there is one."""
    complete = getattr(error, "format_message", None)
    return str(complete() if complete else error)


def fail(message: str, code: int) -> None:
    """Print one line to standard error and leave."""
    print(f"haq: {message}", file=sys.stderr)
    sys.exit(code)
