"""The `haq` program."""

import os

from haq.blas import ONE_THREAD
from haq.cli._app import main

__all__ = ["main"]

os.environ.update({**ONE_THREAD, **os.environ})
