"""Scores and latencies that a run already has: asked again, they come from its journal.

A search with the same seed asks the same questions in the same order, so a run that was stopped
goes on by being run again: what it had measured is not measured twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from haq.board import AnyBoard, Latency
from haq.board.parallel import start
from haq.parallel import Task
from haq.progress import Progress
from haq.search.racing import SeeImages
from haq.store.journal import Journal
from quant.evaluate import Score, Seen
from quant.policy import Policy

T = TypeVar("T")


class Evaluator(Protocol):
    """Scores policies; deterministic."""

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies."""


class Scorer(Protocol):
    """What an evaluator asks for scores that it does not know."""

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""

    def score(self, policies: Sequence[Policy]) -> Iterable[Score]:
        """Scores in the order of the policies, perhaps each as it comes."""


class Meter(Protocol):
    """Measures policies on a board."""

    def measure(self, policies: Sequence[Policy], purpose: str) -> list[Latency]:
        """Latencies in the order of the policies, all of one batch."""


class RememberedEvaluator:
    """An evaluator that never scores a policy twice; each new score is a step of progress."""

    def __init__(self, evaluator: Scorer, journal: Journal, part: str, progress: Progress) -> None:
        """`part` names the images, since a policy has a score on each part of the data."""
        self._evaluator, self._journal, self._progress = evaluator, journal, progress
        self._kind = f"score/{part}"
        self._known = recall(journal, self._kind, lambda data: Score(**data))

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return self._evaluator.float_top1

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies; those not yet known are asked for at once."""
        keys = [policy.key() for policy in policies]
        new = {k: p for k, p in zip(keys, policies, strict=True) if k not in self._known}
        for key, score in zip(new, self._evaluator.score(list(new.values())), strict=True):
            remember(self._journal, self._kind, key, asdict(score))
            self._known[key] = score
            self._advance(score)
        for key in keys:
            if new.pop(key, None) is None:
                self._advance(self._known[key])
        return [self._known[key] for key in keys]

    def _advance(self, score: Score) -> None:
        self._progress.advance(f"KL {score.kl:.2g}")


class RememberedImages:
    """What policies do to images, by slices: no slice runs twice.

    A race is decided by nothing else, so one that was stopped anywhere is run again to its end.
    """

    def __init__(self, see: SeeImages, journal: Journal, part: str) -> None:
        """`part` names the images that rows are counted in."""
        self._see, self._journal, self._kind = see, journal, f"images/{part}"
        self._known = recall(journal, self._kind, to_seen)

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in order. Raises PolicyError.

        What is not yet known is asked for at once, and remembered as it comes.
        """
        keys = [key_of(task) for task in tasks]
        new = {k: task for k, task in zip(keys, tasks, strict=True) if k not in self._known}
        for key, seen in zip(new, self._see(list(new.values())), strict=True):
            data = {"kl": seen.kl.tolist(), "chosen": seen.chosen.tolist()}
            remember(self._journal, self._kind, key, data)
            self._known[key] = seen
        return (self._known[key] for key in keys)


def key_of(task: Task) -> str:
    """A policy and the images that it is to run on, in their order."""
    policy, rows = task
    return f"{policy.key()} {hashlib.sha256(rows.astype('<i8').tobytes()).hexdigest()}"


def to_seen(data: Mapping[str, Any]) -> Seen:
    """From a journal's lists, to the bit."""
    return Seen(np.array(data["kl"], np.float64), np.array(data["chosen"], np.int64))


class RememberedMeter:
    """A board that measures a policy once for each purpose."""

    def __init__(
        self, board: AnyBoard, journal: Journal, limits: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """`limits` are the arguments of `Board.measure` by purpose."""
        self._board, self._journal, self._limits = board, journal, limits
        self._known = {
            purpose: recall(journal, f"latency/{purpose}", lambda data: Latency(**data))
            for purpose in limits
        }

    def measure(self, policies: Sequence[Policy], purpose: str) -> list[Latency]:
        """Latencies in the order of the policies; those not yet known are one batch."""
        return self.begin(policies, purpose)()

    def begin(self, policies: Sequence[Policy], purpose: str) -> Callable[[], list[Latency]]:
        """Let a board elsewhere measure from now on; what is returned waits, and is `measure`.

        A board on this machine begins when it is waited for: what is computed meanwhile would
        take its time, and change what it measures.
        """
        known = self._known[purpose]
        wanted = {policy.key(): policy for policy in policies}
        new = {key: policy for key, policy in wanted.items() if key not in known}
        if not new:
            return lambda: [known[key] for key in map(Policy.key, policies)]
        call = partial(self._board.measure, list(new.values()), **self._limits[purpose])
        wait = call if self._board.is_here else start(call).result

        def finish() -> list[Latency]:
            self._remember(purpose, dict(zip(new, wait(), strict=True)))
            return [known[policy.key()] for policy in policies]

        return finish

    def _remember(self, purpose: str, found: Mapping[str, Latency]) -> None:
        """All at once: what was measured together is not measured in parts after a stop."""
        kind = f"latency/{purpose}"
        self._journal.append(*(record(kind, key, asdict(one)) for key, one in found.items()))
        self._known[purpose] |= found


def recall(journal: Journal, kind: str, make: Callable[[Any], T]) -> dict[str, T]:
    """What a journal holds of one kind, by the policy's key."""
    return {r["key"]: make(r["data"]) for r in journal if r["kind"] == kind}


def remember(journal: Journal, kind: str, key: str, data: Mapping[str, Any]) -> None:
    """Append one result."""
    journal.append(record(kind, key, data))


def record(kind: str, key: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """One result as a line of a journal."""
    return {"kind": kind, "key": key, "data": data}
