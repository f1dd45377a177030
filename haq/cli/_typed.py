"""What was given on the command line, and not by a default or the environment."""

from __future__ import annotations

import typer


def typed_options(context: typer.Context) -> dict[str, str]:
    """The options that were given, `--so`, by the names of their parameters."""
    names = {parameter.name or "": parameter.opts[0] for parameter in context.command.params}
    return {name: option for name, option in names.items() if is_typed(context, name)}


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
