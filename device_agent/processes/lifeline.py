"""A process that does not outlive the one that started it."""

from __future__ import annotations

import os
import threading


def exit_when_stdin_closes() -> None:
    """Leave at once when standard input ends: the parent died, or closed its end of the pipe.

    PR_SET_PDEATHSIG would not do: it fires when the parent's *thread* ends, and jobs are started
    from a pool of threads.
    """
    threading.Thread(target=wait_and_exit, name="lifeline", daemon=True).start()


def wait_and_exit() -> None:
    """Read standard input until it ends, then leave without clean-up."""
    # os.read, not sys.stdin: a daemon thread that holds the lock of a buffered reader makes the
    # interpreter abort at its normal end.
    while os.read(0, 4096):
        pass
    os._exit(1)
