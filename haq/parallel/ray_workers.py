"""Actors of a Ray cluster."""

from __future__ import annotations

import hashlib
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from haq.parallel._base import Evaluates, Make, Rows, Task, Tell, silent
from haq.parallel.cluster import resources
from haq.parallel.pieces import join, piece_size, split
from quant.errors import WorkerError
from quant.evaluate import Seen
from quant.graph import Floats
from quant.policy import Policy
from quant.pool import keep_to

LIVES = 3
"""Actors that may be lost with the same piece of work."""
LOOK_EVERY_S = 10.0
PATIENCE_S = 600.0
"""How long nobody may be there: a cluster may be busy with other work."""


class Evaluator:
    """An actor: holds an evaluator, and keeps to one core."""

    def begin(self, make: Make) -> tuple[str, str]:
        """Make the evaluator, then `introduce`."""
        keep_to(1)
        self._evaluator: Evaluates = make()
        return self.introduce()

    def introduce(self) -> tuple[str, str]:
        """The machine's name, and a digest of the float logits as it computes them."""
        return socket.gethostname(), digest_of(self._evaluator.float_logits)

    def see(self, policy: Policy, rows: Rows) -> Seen:
        """What the policy does to these images. Raises PolicyError."""
        return self._evaluator.see(policy, rows)


@dataclass(eq=False)
class Work:
    """A piece of work, how many actors were lost with it, and what came of it."""

    policy: Policy
    rows: Rows
    losses: int = 0
    answer: Seen | Exception | None = None

    def result(self) -> Seen:
        """The answer. Raises what the evaluator did."""
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


class RayWorkers:
    """Actors on all machines of a cluster; what a lost one had to do is done by the others.

    Each has one piece of work at a time. For one that is lost another one is asked for, which
    starts wherever the cluster has room for it, at once or later. A machine that computes float
    logits otherwise than this one is left out, so that no trial depends on who was free.
    """

    def __init__(
        self,
        make: Make,
        count: int | None = None,
        tell: Tell = silent,
    ) -> None:
        """Of the cluster that this process is connected to; `count` actors, by default one a core.

        `tell` hears of actors that are lost or left out.
        """
        self._tell, self._told = tell, list[str]()
        self._own = make()
        self._size = piece_size(self._own.batch)
        self._given = ray.put(make)
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0)(Evaluator)
        self._count = count or int(resources().get("CPU", 1))
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Work | None]] = {}
        self._failures, self._somebody_s = 0, 0.0
        for _ in range(self._count):
            self._hire()

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""
        return self._own.float_logits

    def see(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in order. Raises PolicyError, WorkerError."""
        return join(self._run(split(tasks, self._size)), tasks, self._size)

    def close(self) -> None:
        """End the actors."""
        busy = (actor for actor, _ in self._busy.values())
        for actor in (*self._idle, *self._starting.values(), *busy):
            ray.kill(actor)

    def _run(self, pieces: Sequence[Task]) -> Iterator[Seen]:
        works = [Work(*piece) for piece in pieces]
        queue = deque(works)
        self._somebody_s = time.monotonic()
        try:
            for work in works:
                while work.answer is None:
                    self._deal(queue)
                    self._hear(queue)
                yield work.result()
        finally:
            # Who is still at it is free when it is done, whatever it says.
            self._busy = {ref: (actor, None) for ref, (actor, _) in self._busy.items()}

    def _deal(self, queue: deque[Work]) -> None:
        while queue and self._idle:
            actor, work = self._idle.pop(), queue.popleft()
            self._busy[actor.see.remote(work.policy, work.rows)] = actor, work

    def _hear(self, queue: deque[Work]) -> None:
        """Wait until something has happened, and take note of all that has."""
        for ref in self._wait():
            if ref in self._starting:
                self._welcome(ref, self._starting.pop(ref))
            else:
                self._take(ref, *self._busy.pop(ref), queue)

    def _wait(self) -> list[Any]:
        """What is done. Raises WorkerError where nobody is there to do anything."""
        if self._busy or self._idle:
            self._somebody_s = time.monotonic()
        refs = [*self._busy, *self._starting]
        if not refs or time.monotonic() > self._somebody_s + PATIENCE_S:
            reason = self._told[-1] if self._told else "no core is free"
            raise WorkerError(f"nobody on the Ray cluster evaluates: {reason}")
        done, rest = ray.wait(refs, num_returns=1, timeout=LOOK_EVERY_S)
        if done and rest:
            done += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        if not done and not self._busy:
            self._say("waiting for the Ray cluster to have a free core")
        return list(done)

    def _take(self, ref: Any, actor: Any, work: Work | None, queue: deque[Work]) -> None:
        """The answer of an actor, or its loss."""
        try:
            answer = get(ref)
        except RayError:
            self._lose(work, queue)
            return
        self._idle.append(actor)
        if work is not None:
            work.answer = answer

    def _lose(self, work: Work | None, queue: deque[Work]) -> None:
        self._tell("a worker of the Ray cluster is lost: its work is done again")
        if work is not None:
            work.losses += 1
            if work.losses < LIVES:
                queue.appendleft(work)
            else:
                work.answer = WorkerError(
                    f"{LIVES} workers of the Ray cluster were lost with the same work, perhaps "
                    "for lack of memory: start its machines with fewer --num-cpus"
                )
        self._hire()
        # The machine may be gone, and with it some who have nothing to do: all are asked.
        for actor in self._idle:
            self._starting[actor.introduce.remote()] = actor
        self._idle.clear()

    def _hire(self) -> None:
        actor = self._actor.remote()
        self._starting[actor.begin.remote(self._given)] = actor

    def _welcome(self, ref: Any, actor: Any) -> None:
        """Let an actor work, unless it has not come up, or computes otherwise than others do."""
        try:
            found = get(ref)
        except RayError as error:
            self._failures += 1
            self._say(f"a worker of the Ray cluster has not come up: {brief(error)}")
            if self._failures <= self._count + LIVES:
                self._hire()
            return
        if isinstance(found, Exception):
            self._say(f"a worker of the Ray cluster cannot work: {brief(found)}")
        elif found[1] != digest_of(self.float_logits):
            self._say(f"{found[0]} computes other float logits than this machine: left out")
        else:
            self._failures = 0
            self._idle.append(actor)

    def _say(self, text: str) -> None:
        """Tell something once."""
        if text not in self._told:
            self._told.append(text)
            self._tell(text)


def get(ref: Any) -> Any:
    """What a call returns, or the error that it raises. Raises RayError where it is lost."""
    try:
        return ray.get(ref)
    except RayTaskError as error:
        return error.cause


def digest_of(logits: Floats) -> str:
    """SHA-256 of logits, to the bit."""
    return hashlib.sha256(logits.tobytes()).hexdigest()


def brief(error: Exception) -> str:
    """One line of an error that may have many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
