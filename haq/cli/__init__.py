"""The `haq` program."""

from haq.cli._app import main

__all__ = ["main"]
