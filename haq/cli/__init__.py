"""The `haq` program."""

import os

from haq.cli._app import main
from haq.threads import THREADS

__all__ = ["main"]

os.environ.update({**THREADS, **os.environ})
