"""What C code prints, kept away from standard output, which belongs to the answer of a command."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT = 1


@contextmanager
def no_stdout() -> Iterator[None]:
    """Drop what is printed, by C too: no option stops some lines of HiGHS."""
    sys.stdout.flush()
    kept, nowhere = os.dup(STDOUT), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    try:
        yield
    finally:
        # C keeps what it prints in a buffer of its own.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)
