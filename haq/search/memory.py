"""Scores and latencies that are known already: asked again, they come from the store.

A search with the same seed asks the same questions in the same order, so a run that was stopped
goes on by being run again: what it had measured is not measured twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from haq.board import AnyBoard, Latency
from haq.progress import Progress
from haq.search.image_order import Rows
from haq.search.racing import SeeImages
from haq.store.entries import Entries
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


class Meter(Protocol):
    """Measures policies on a board."""

    def measure(self, policies: Sequence[Policy], purpose: str) -> list[Latency]:
        """Latencies in the order of the policies, all of one batch."""


class Known(Generic[T]):
    """What is known of one kind: in memory, else in the store, else found out and kept there."""

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

    def look_up(self, keys: Sequence[str], find: Callable[[Sequence[str]], Sequence[T]]) -> list[T]:
        """Values in the order of the keys; `find` is called once for those that are not known.

        What was found together is kept together: after a stop no part of it is found again.
        """
        asked = [key for key in dict.fromkeys(keys) if key not in self._found]
        stored = self._entries.get(self._kind, asked) if asked else {}
        self._found |= {key: self._from_data(data) for key, data in stored.items()}
        missing = [key for key in asked if key not in stored]
        if missing:
            new = dict(zip(missing, find(missing), strict=True))
            self._entries.put(self._kind, {k: self._to_data(value) for k, value in new.items()})
            self._found |= new
        return [self._found[key] for key in keys]


class RememberedEvaluator:
    """An evaluator that never scores a policy twice; each new score is a step of progress."""

    def __init__(self, evaluator: Evaluator, entries: Entries, progress: Progress) -> None:
        """`entries` are those of the images and of everything else that decides a score."""
        self._evaluator, self._progress = evaluator, progress
        self._known = Known(entries, "score", asdict, lambda data: Score(**data))

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return self._evaluator.float_top1

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies."""
        return [self._score(policy) for policy in policies]

    def _score(self, policy: Policy) -> Score:
        (score,) = self._known.look_up(
            [policy.key()], lambda missing: self._evaluator.score([policy])
        )
        self._progress.advance(f"KL {score.kl:.2g}")
        return score


class RememberedImages:
    """What policies do to images, by slices: no slice runs twice.

    A race is decided by nothing else, so one that was stopped anywhere is run again to its end.
    """

    def __init__(self, see: SeeImages, entries: Entries) -> None:
        """`entries` are those of the images that rows are counted in."""
        self._see = see
        self._known = Known(entries, "images", from_seen, to_seen)

    def __call__(self, policy: Policy, rows: Rows) -> Seen:
        """What the policy does to these images. Raises PolicyError."""
        key = f"{policy.key()} {hashlib.sha256(rows.astype('<i8').tobytes()).hexdigest()}"
        (seen,) = self._known.look_up([key], lambda missing: [self._see(policy, rows)])
        return seen


def from_seen(seen: Seen) -> dict[str, Any]:
    """As lists."""
    return {"kl": seen.kl.tolist(), "chosen": seen.chosen.tolist()}


def to_seen(data: Mapping[str, Any]) -> Seen:
    """From lists, to the bit."""
    return Seen(np.array(data["kl"], np.float64), np.array(data["chosen"], np.int64))


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
        by_key = {policy.key(): policy for policy in policies}

        def measure_missing(missing: Sequence[str]) -> Sequence[Latency]:
            return self._board.measure([by_key[key] for key in missing], **self._limits[purpose])

        return self._known[purpose].look_up([p.key() for p in policies], measure_missing)
