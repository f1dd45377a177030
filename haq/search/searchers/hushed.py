"""What C code prints, kept out of standard output, which belongs to the answer of a command."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT, STDERR = 1, 2


@contextmanager
def no_stdout() -> Iterator[None]:
    """Send to standard error what is printed, by C too: no option stops some lines of HiGHS."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        # C keeps what it prints in a buffer of its own.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, STDOUT)
        os.close(kept)
