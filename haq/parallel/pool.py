"""Processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from os import _exit
from threading import Thread

from haq.parallel._base import Evaluates, Make, Rows, Task, Tell, silent
from haq.parallel.pieces import join, piece_size, split
from quant.errors import WorkerError
from quant.evaluate import Seen
from quant.graph import Floats
from quant.policy import Policy
from quant.pool import keep_to

LIVES = 3
"""Processes that may end while the same piece of work is waited for."""
HELD: list[Evaluates] = []
"""The evaluator of a worker's process."""


class PoolWorkers:
    """Processes that hold an evaluator each, on one core each.

    A process that ends, such as one that is killed for its memory, takes the others with it; all
    are started anew, and what they had to do is done again.
    """

    def __init__(self, make: Make, count: int, tell: Tell = silent) -> None:
        """Processes start when there is work; `tell` hears of those that end."""
        self._make, self._count, self._tell = make, count, tell
        self._own = make()
        self._size = piece_size(self._own.batch)
        self._is_closed = False
        self._pool = self._start()

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""
        return self._own.float_logits

    def see(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in order. Raises PolicyError, WorkerError."""
        return join(self._run(split(tasks, self._size)), tasks, self._size)

    def close(self) -> None:
        """End the processes at once, whatever they are at."""
        self._is_closed = True
        self._end()

    def _run(self, pieces: Sequence[Task]) -> Iterator[Seen]:
        running = [self._submit(piece) for piece in pieces]
        try:
            for index in range(len(pieces)):
                yield self._wait(index, pieces, running)
        finally:
            for future in running:
                future.cancel()

    def _wait(self, index: int, pieces: Sequence[Task], running: list[Future[Seen]]) -> Seen:
        """The answer to a piece; where a process has ended, all that is lost is begun again."""
        for _ in range(LIVES):
            try:
                return running[index].result()
            except BrokenProcessPool:
                if self._is_closed:
                    raise WorkerError("the worker processes were ended") from None
                self._tell("a worker process has ended: its work is done again")
                self._restart()
                for other in range(index, len(pieces)):
                    if not is_answered(running[other]):
                        running[other] = self._submit(pieces[other])
        raise WorkerError(
            f"a worker process has ended {LIVES} times in a row, perhaps for lack of memory: give "
            "fewer --workers"
        )

    def _submit(self, piece: Task) -> Future[Seen]:
        try:
            return self._pool.submit(see, *piece)
        except BrokenProcessPool as error:
            # It broke while nobody waited: that is found out when the answer is asked for.
            future: Future[Seen] = Future()
            future.set_exception(error)
            return future

    def _restart(self) -> None:
        self._end()
        self._pool = self._start()

    def _end(self) -> None:
        self._leave.close()
        self._pool.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Not forked from this one: threads of torch and of ncnn do not live on in a copy. They are
        # copies of a process that has loaded torch and has not computed anything.
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        told_to_leave, self._leave = context.Pipe(duplex=False)
        return ProcessPoolExecutor(self._count, context, begin, (self._make, told_to_leave))


def is_answered(future: Future[Seen]) -> bool:
    """Whether there is an answer, be it an error, which a new process would not change."""
    return future.done() and not isinstance(future.exception(), BrokenProcessPool)


def begin(make: Make, told_to_leave: Connection) -> None:
    """In a new process: make its evaluator."""
    # Ctrl-C is for the process that everybody works for; without that one nobody is needed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_when_told, args=(told_to_leave,), daemon=True).start()
    keep_to(1)
    HELD.append(make())


def end_when_told(told_to_leave: Connection) -> None:
    """Wait until the parent closes its end, or has ended itself, even by a kill; then leave."""
    parent = parent_process()
    wait([told_to_leave] if parent is None else [told_to_leave, parent.sentinel])
    _exit(1)


def see(policy: Policy, rows: Rows) -> Seen:
    """In a worker's process: what the policy does to these images. Raises PolicyError."""
    return HELD[0].see(policy, rows)
