"""Answers kept for clients that ask again: a job whose answer got lost is not run twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from device_agent.processes.jobs import JobError, StoppingError
from device_agent.turns.line import Clock
from quant.errors import InputError

MAX_ANSWERS = 256
MAX_BYTES = 64 * 2**20
KEEP_S = 3600.0
Key = tuple[str, str]
"""Whose key it is, and the key."""


class IdempotencyError(InputError):
    """The key was sent with another request before."""


@dataclass
class Entry:
    """A request and its answer, which may be still to come; size and age count from then on."""

    fingerprint: str
    answer: Future[bytes] = field(default_factory=Future)
    size_bytes: int = 0
    done_at_s: float = 0.0


class Answers:
    """Answers by the keys that came with the requests, for several threads.

    At most `max_answers` and `max_bytes` are kept, for `keep_s`; the oldest go first.
    """

    def __init__(
        self,
        max_answers: int = MAX_ANSWERS,
        max_bytes: int = MAX_BYTES,
        keep_s: float = KEEP_S,
        clock: Clock = time.monotonic,
    ) -> None:
        self.max_answers = max_answers
        self.max_bytes = max_bytes
        self.keep_s = keep_s
        self.clock = clock
        self._running: dict[Key, Entry] = {}
        self._done: dict[Key, Entry] = {}
        self._lock = threading.Lock()

    def once(self, key: Key, fingerprint: str, work: Callable[[], bytes]) -> Future[bytes]:
        """The answer of `work`, which the first one to ask runs here, to its end.

        Whoever asks again gets the same answer, at once or when it comes. Errors of the work are in
        the answer. Raises IdempotencyError where the key stood for another fingerprint.
        """
        entry, is_first = self._find_or_add(key, fingerprint)
        if entry.fingerprint != fingerprint:
            raise IdempotencyError("the idempotency key came with another request: take a new one")
        if is_first:
            self._fill(key, entry, work)
        return entry.answer

    def _find_or_add(self, key: Key, fingerprint: str) -> tuple[Entry, bool]:
        with self._lock:
            self._forget()
            found = self._running.get(key) or self._done.get(key)
            if found is None:
                self._running[key] = Entry(fingerprint)
            return found or self._running[key], found is None

    def _fill(self, key: Key, entry: Entry, work: Callable[[], bytes]) -> None:
        try:
            answer = work()
        except BaseException as error:
            self._settle(key, keep=is_outcome(error))
            entry.answer.set_exception(error)
        else:
            entry.size_bytes = len(answer)
            self._settle(key, keep=True)
            entry.answer.set_result(answer)

    def _settle(self, key: Key, keep: bool) -> None:
        with self._lock:
            entry = self._running.pop(key)
            if keep:
                entry.done_at_s = self.clock()
                self._done[key] = entry
                self._forget()

    def _forget(self) -> None:
        while self._done and self._is_over_a_limit():
            del self._done[next(iter(self._done))]

    def _is_over_a_limit(self) -> bool:
        oldest = next(iter(self._done.values()))
        return (
            self.clock() - oldest.done_at_s > self.keep_s
            or len(self._done) > self.max_answers
            or sum(entry.size_bytes for entry in self._done.values()) > self.max_bytes
        )


def fingerprint(route: str, body: str) -> str:
    """What an idempotency key stands for: SHA-256 of the route and the body."""
    return hashlib.sha256(f"{route}\n{body}".encode()).hexdigest()


def is_outcome(error: BaseException) -> bool:
    """Whether an error is how a job ended; after all others it is worth trying again."""
    return isinstance(error, JobError) and not isinstance(error, StoppingError)
