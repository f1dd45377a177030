"""Scores from as few images as it takes: a policy stops when it cannot be among the best any more.

A race (Maron and Moore 1994): all policies run on the same images in the same order, a slice at a
time. One whose divergence is surely above that of the best so far stops, and its score is what its
images say about all (`haq.search.image_order`). Those that are never beaten run on all images, and
so do the first few, which say where the others should look.

Whatever can run at the same time is asked for at once, so that many workers have something to do;
who decides waits for all of it, so that nothing depends on who was the fastest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from haq.parallel import Task
from haq.progress import Silent
from haq.search.image_order import (
    ImageOrder,
    Rows,
    Sample,
    Values,
    image_sizes,
    uncertainty_of,
)
from quant.evaluate import Labels, Score, Seen, score_of, shares_right
from quant.graph import Floats
from quant.policy import Policy

KEEP = 2
"""One policy may come from elsewhere, such as from the budget walk, and one is the agent's best."""
PILOTS = 6
EVERY = sys.maxsize
"""So many pilots that nothing races: every policy runs on all images, at once."""
SHARES = (0.15, 0.25, 0.5, 1.0)
"""Slices end at these shares of the images."""
LEAST_IMAGES = 100
"""Fewer take little time anyway, and a slice of a dozen says too little of a heavy tail."""
SURE = 2.5
"""Standard errors. Divergences have heavy tails, so this is less sure than it would be else."""


class SeeImages(Protocol):
    """Runs policies on some of the images; deterministic."""

    def __call__(self, tasks: Sequence[Task]) -> Iterable[Seen]:
        """What each policy does to its images, in order. Raises PolicyError."""


NOTHING = Seen(np.zeros(0), np.zeros(0), np.zeros(0))
SILENT = Silent().advance


class RacingEvaluator:
    """Scores policies on fixed images; `Score.images` says how many of them a policy has run on.

    The same policies in the same order have the same scores. No policy runs twice on an image. A
    score on all images is to the bit what `quant.evaluate.compare` says.
    """

    def __init__(
        self,
        see: SeeImages,
        float_logits: Floats,
        labels: Labels,
        keep: int = KEEP,
        pilots: int = PILOTS,
        seed: int = 0,
        advance: Callable[[str], None] = SILENT,
    ) -> None:
        """Nothing runs before the first score; `float_logits` (N, classes) are the float network's.

        The first `pilots` policies run on all images and say which ones matter. Policies that may
        be among the `keep` best run on all images, too. `advance` hears of every score.
        """
        self._see, self._float_logits = see, float_logits
        self._keep, self._count, self._seed, self._advance = keep, pilots, seed, advance
        self._float_right = shares_right(float_logits, labels)
        self._pilots: list[Values] = []
        self._seen: dict[str, Seen] = {}
        self._complete: dict[str, Score] = {}
        self.evaluated = 0
        """Images that policies have run on."""

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float(self._float_right.mean())

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies, which race against each other, too."""
        self._extend(self._next_pilots(policies), np.arange(self._total))
        self._extend(policies, self._slices[0])
        ordered = sorted(policies, key=lambda policy: self._score(policy).kl)
        # The most promising first: the others have the more to beat.
        for group in (ordered[: self._keep], ordered[self._keep :]):
            self._race(group)
            for policy in group:
                self._advance(f"KL {self._score(policy).kl:.2g}")
        return [self._score(policy) for policy in policies]

    def complete(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores on all images, in the order of the policies."""
        self._extend(policies, self._slices[-1])
        return [self._score(policy) for policy in policies]

    def _next_pilots(self, policies: Sequence[Policy]) -> list[Policy]:
        """Those that are still to run on all images before any can race."""
        new = {p.key(): p for p in policies if p.key() not in self._seen}
        return list(new.values())[: self._count - len(self._pilots)]

    @property
    def _total(self) -> int:
        return len(self._float_right)

    @property
    def _slices(self) -> list[Rows]:
        """The images known at the end of each slice; only one slice until the pilots have run."""
        if len(self._pilots) < self._count:
            return [np.arange(self._total)]
        return [sample.rows for sample in self._samples]

    @cached_property
    def _samples(self) -> list[Sample]:
        sizes = image_sizes(self._pilots, uncertainty_of(self._float_logits))
        order = ImageOrder(sizes, self._seed)
        return [order.sample(count) for count in slice_ends(self._total)]

    def _race(self, policies: Sequence[Policy]) -> None:
        for rows in self._slices:
            racing = [p for p in policies if p.key() not in self._complete]
            self._extend([p for p in racing if not self._is_beaten(p)], rows)

    def _is_beaten(self, policy: Policy) -> bool:
        """Whether `keep` others are surely better."""
        seen = self._seen[policy.key()]
        sample = self._sample(seen)
        least = sample.mean(seen.kl) - SURE * sample.error(seen.kl)
        return sum(score.kl < least for score in self._complete.values()) >= self._keep

    def _extend(self, policies: Sequence[Policy], rows: Rows) -> None:
        """Run policies on those rows that they have not seen."""
        tasks: dict[str, Task] = {}
        for policy in policies:
            key = policy.key()
            known = len(self._seen.get(key, NOTHING))
            if key not in self._complete and known < len(rows):
                tasks[key] = policy, rows[known:]
        for key, new in zip(tasks, self._see(list(tasks.values())), strict=True):
            self._add(key, new, rows)

    def _add(self, key: str, new: Seen, rows: Rows) -> None:
        """What a policy did to the last of the rows, beside what is known of the others."""
        before = self._seen.get(key, NOTHING)
        self.evaluated += len(new)
        seen = joined(before, new)
        self._seen[key] = seen
        if len(seen) == self._total:
            self._finish(key, in_place(seen, rows))

    def _finish(self, key: str, seen: Seen) -> None:
        self._complete[key] = score_of(seen)
        if len(self._pilots) < self._count:
            self._pilots.append(seen.kl)

    def _sample(self, seen: Seen) -> Sample:
        return next(sample for sample in self._samples if len(sample.rows) == len(seen))

    def _score(self, policy: Policy) -> Score:
        key = policy.key()
        return self._complete[key] if key in self._complete else self._estimate(self._seen[key])

    def _estimate(self, seen: Seen) -> Score:
        sample = self._sample(seen)
        # The float network's top-1 is known, so only what a policy changes is estimated.
        gained = seen.right - self._float_right[sample.rows]
        return Score(
            top1=share(self.float_top1 + sample.mean(gained)),
            kl=sample.mean(seen.kl),
            agreement=share(1.0 - sample.mean(1.0 - seen.same)),
            images=len(seen),
        )


def slice_ends(total: int) -> list[int]:
    """How many of `total` images are known at the end of each slice; few images are one slice."""
    return [round(share * total) for share in SHARES] if total >= LEAST_IMAGES else [total]


def joined(before: Seen, new: Seen) -> Seen:
    """Images that were seen one after another; a metric is there if they came all at once."""
    return Seen(
        np.append(before.kl, new.kl),
        np.append(before.right, new.right),
        np.append(before.same, new.same),
        new.metric,
    )


def in_place(seen: Seen, rows: Rows) -> Seen:
    """All images, which were seen in the order of `rows`, each at its row."""
    back = np.argsort(rows)
    return Seen(seen.kl[back], seen.right[back], seen.same[back], seen.metric)


def share(value: float) -> float:
    """An estimate of a share, which is in 0..1."""
    return min(max(value, 0.0), 1.0)
