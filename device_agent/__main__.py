"""The program `haq-agent`: serve, make keys, revoke them."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from device_agent.settings import load_settings
from device_agent.web.keys_file import add_key, revoke_key
from device_agent.web.start import leave
from quant.errors import InputError

HELP = "Measure ncnn networks on this board for clients elsewhere. Settings: HAQ_AGENT_* variables."

app = typer.Typer(name="haq-agent", help=HELP, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Serve at HAQ_AGENT_HOST and HAQ_AGENT_PORT."""
    if context.invoked_subcommand is None:
        from device_agent.web.serve import serve

        serve(load_settings())


@app.command()
def key(name: str) -> None:
    """Make a key for NAME, print it this once, and keep its SHA-256 in HAQ_AGENT_KEYS_FILE."""
    typer.echo(add_key(keys_file(), name))


@app.command()
def revoke(name: str) -> None:
    """Take NAME's key out of HAQ_AGENT_KEYS_FILE; a running agent refuses it at once."""
    revoke_key(keys_file(), name)


def keys_file() -> Path:
    """The file of the settings. Raises InputError where none is set."""
    path = load_settings().keys_file
    if path is None:
        raise InputError("set HAQ_AGENT_KEYS_FILE to the file that keeps the keys")
    return path


def main() -> None:
    """Run the program: 0 is success, 2 what the user can mend, told in one line."""
    try:
        app(args=sys.argv[1:], prog_name="haq-agent", standalone_mode=False)
    except typer.TyperException as error:
        complete = getattr(error, "format_message", None)
        leave(" ".join(str(complete() if complete else error).split()))
    except InputError as error:
        leave(str(error))


if __name__ == "__main__":
    main()
