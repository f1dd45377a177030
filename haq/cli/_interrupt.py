"""Ctrl-C that ends the program at once, whatever it is doing.

An interrupt reaches the main thread between two steps of Python: not while native code runs there,
and threads that still work keep a program from ending. So another thread watches.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket, socketpair

GRACE_S = 1.0
"""To leave in order: boards are given back, temporary folders removed."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@contextmanager
def prompt_interrupts(last_words: Callable[[], None]) -> Iterator[None]:
    """Let an interrupt within the block end the process `GRACE_S` later, if it still is there.

    `last_words` is called before. In other threads than the main one, which get no interrupts,
    nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ears, bell = socketpair()
    bell.setblocking(False)
    before = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=watch, args=(ears, last_words), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        bell.close()


def watch(ears: socket, last_words: Callable[[], None]) -> None:
    """Wait for an interrupt, or for the end of the block."""
    with ears:
        while heard := ears.recv(1):
            if heard[0] == signal.SIGINT:
                time.sleep(GRACE_S)
                last_words()
                os._exit(INTERRUPTED)
