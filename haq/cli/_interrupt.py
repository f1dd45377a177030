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
        with unmasked():
            yield
    finally:
        signal.set_wakeup_fd(before)
        bell.close()


@contextmanager
def unmasked() -> Iterator[None]:
    """Raise KeyboardInterrupt for an error that came of one.

    An interrupt between two steps of a lock leaves a state that the lock's end takes for an error.
    """
    try:
        yield
    except Exception as error:
        if comes_of_interrupt(error):
            raise KeyboardInterrupt from error
        raise


def comes_of_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt was under way when an error was raised."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or comes_of_interrupt(error.__context__)
    )


def watch(ears: socket, last_words: Callable[[], None]) -> None:
    """Wait for an interrupt, or for the end of the block."""
    with ears:
        while heard := ears.recv(1):
            if heard[0] == signal.SIGINT:
                time.sleep(GRACE_S)
                last_words()
                os._exit(INTERRUPTED)
