"""Scores and latencies that are known already: asked again, they come from the store.

A search with the same seed asks the same questions in the same order, so a run that was stopped
goes on by being run again: what it had measured is not measured twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from haq.board import AnyBoard, Latency
from haq.board.parallel import start
from haq.parallel import Task
from haq.progress import Progress
from haq.search.racing import SeeImages
from haq.store.entries import Entries
from quant.evaluate import Measured, Score, Seen
from quant.policy import Policy

OF_IMAGES = ("kl", "right", "same")
"""What `Seen` holds of every image, by name."""
T = TypeVar("T")
Q = TypeVar("Q")


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


class Known(Generic[T]):
    """What is known of one kind, by key: in memory, and in the store, where it is kept."""

    def __init__(
        self,
        entries: Entries,
        kind: str,
        to_data: Callable[[T], dict[str, Any]],
        from_data: Callable[[Any], T],
    ) -> None:
        self._entries, self._kind = entries, kind
        self._to_data, self._from_data = to_data, from_data
        self._found: dict[str, T] = {}

    def new(self, keys: Sequence[str], questions: Sequence[Q]) -> dict[str, Q]:
        """Those questions whose answers are not known, by key, each once."""
        asked = {k: q for k, q in zip(keys, questions, strict=True) if k not in self._found}
        stored = self._entries.get(self._kind, list(asked)) if asked else {}
        self._found |= {key: self._from_data(data) for key, data in stored.items()}
        return {key: question for key, question in asked.items() if key not in stored}

    def keep(self, found: Mapping[str, T]) -> None:
        """Have answers in the store, all or none. Raises StorageError."""
        self._entries.put(self._kind, {key: self._to_data(one) for key, one in found.items()})
        self._found |= found

    def __getitem__(self, key: str) -> T:
        return self._found[key]


class RememberedEvaluator:
    """An evaluator that never scores a policy twice; each new score is a step of progress."""

    def __init__(self, evaluator: Scorer, entries: Entries, progress: Progress) -> None:
        """`entries` are those of the images and of everything else that decides a score."""
        self._evaluator, self._progress = evaluator, progress
        self._known = Known(entries, "score", Score.to_json, Score.from_json)

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return self._evaluator.float_top1

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies; those not yet known are asked for at once."""
        keys = [policy.key() for policy in policies]
        new = self._known.new(keys, policies)
        for key, score in zip(new, self._evaluator.score(list(new.values())), strict=True):
            self._known.keep({key: score})
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

    def __init__(self, see: SeeImages, entries: Entries) -> None:
        """`entries` are those of the images that rows are counted in."""
        self._see = see
        self._known = Known(entries, "seen", from_seen, to_seen)

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in order. Raises PolicyError.

        What is not yet known is asked for at once, and remembered as it comes.
        """
        keys = [key_of(task) for task in tasks]
        new = self._known.new(keys, tasks)
        for key, seen in zip(new, self._see(list(new.values())), strict=True):
            self._known.keep({key: seen})
        return (self._known[key] for key in keys)


def key_of(task: Task) -> str:
    """A policy and the images that it is to run on, in their order."""
    policy, rows = task
    return f"{policy.key()} {hashlib.sha256(rows.astype('<i8').tobytes()).hexdigest()}"


def from_seen(seen: Seen) -> dict[str, Any]:
    """As lists."""
    metric = {} if seen.metric is None else {"metric": asdict(seen.metric)}
    return {name: getattr(seen, name).tolist() for name in OF_IMAGES} | metric


def to_seen(data: Mapping[str, Any]) -> Seen:
    """From lists, to the bit."""
    kl, right, same = (np.array(data[name], np.float64) for name in OF_IMAGES)
    return Seen(kl, right, same, Measured(**data["metric"]) if "metric" in data else None)


class RememberedMeter:
    """A board that measures a policy once for each purpose."""

    def __init__(
        self, board: AnyBoard, entries: Entries, limits: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """`limits` are the arguments of `Board.measure` by purpose; `entries` are the run's."""
        self._board, self._limits = board, limits
        self._known = {
            purpose: Known(entries, f"latency/{purpose}", asdict, lambda data: Latency(**data))
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
        known, keys = self._known[purpose], [policy.key() for policy in policies]
        new = known.new(keys, policies)
        if not new:
            return lambda: [known[key] for key in keys]
        call = partial(self._board.measure, list(new.values()), **self._limits[purpose])
        wait = call if self._board.is_here else start(call).result

        def finish() -> list[Latency]:
            # All at once: what was measured together is not measured in parts after a stop.
            known.keep(dict(zip(new, wait(), strict=True)))
            return [known[key] for key in keys]

        return finish
