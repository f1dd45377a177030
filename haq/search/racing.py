"""Scores from as few images as it takes: a policy stops when it cannot be among the best any more.

A race (Maron and Moore 1994): all policies run on the same images in the same order, a slice at a
time. One whose divergence is surely above that of the best so far stops, and its score is what its
images say about all (`haq.search.image_order`). Those that are never beaten run on all images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from haq.search.image_order import (
    ImageOrder,
    Rows,
    Sample,
    Values,
    image_sizes,
    uncertainty_of,
)
from quant.evaluate import Score, divergences
from quant.graph import Floats
from quant.policy import Policy

KEEP = 6
SHARES = (0.15, 0.25, 0.5, 1.0)
"""Slices end at these shares of the images."""
LEAST_IMAGES = 16
SURE = 2.5
"""Standard errors. Divergences have heavy tails, so this is less sure than it would be else."""


class RowLogits(Protocol):
    """Runs policies on some of the images; deterministic."""

    def __call__(self, policy: Policy, rows: Rows) -> Floats:
        """Logits (len(rows), classes) of these images. Raises PolicyError."""


@dataclass(frozen=True)
class Seen:
    """Divergence and chosen class on each of the first images of the order."""

    kl: Values
    chosen: Rows

    def __len__(self) -> int:
        return len(self.kl)


NOTHING = Seen(np.zeros(0), np.zeros(0, np.int64))


class RacingEvaluator:
    """Scores policies on fixed images; `Score.images` says how many of them a policy has run on.

    The same policies in the same order have the same scores. No policy runs twice on an image.
    """

    def __init__(
        self,
        logits: RowLogits,
        float_logits: Floats,
        labels: Rows,
        pilots: Sequence[Policy],
        keep: int = KEEP,
        shares: Sequence[float] = SHARES,
        known: Mapping[str, Score] | None = None,
        seed: int = 0,
    ) -> None:
        """Nothing runs before the first score; `float_logits` (N, classes) are the float network's.

        `pilots` run on all images first and say which ones matter: about six policies like those
        to come. Policies that may be among the `keep` best run on all images. `shares` ascend up
        to 1. `known` are scores by policy key from before, such as those of a run that goes on.
        """
        self._logits, self._float_logits, self._labels = logits, float_logits, labels
        self._pilots, self._keep, self._shares, self._seed = pilots, keep, shares, seed
        self._float_chosen = float_logits.argmax(1)
        self._seen: dict[str, Seen] = {}
        self._complete = {k: s.kl for k, s in (known or {}).items() if s.images == len(labels)}
        self.evaluated = 0
        """Images that policies have run on, pilots included."""

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float((self._float_chosen == self._labels).mean())

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies, which race against each other, too."""
        for policy in policies:
            self._extend(policy, self._samples[0])
        # The most promising first: the others have the more to beat.
        for policy in sorted(policies, key=lambda policy: self._score(policy).kl):
            self._race(policy)
        return [self._score(policy) for policy in policies]

    def complete(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores on all images, in the order of the policies."""
        for policy in policies:
            self._extend(policy, self._samples[-1])
        return [self._score(policy) for policy in policies]

    @cached_property
    def _order(self) -> ImageOrder:
        """From runs of the pilots on all images."""
        everything = np.arange(len(self._labels))
        found = [self._run(policy, everything) for policy in self._pilots]
        sizes = image_sizes([seen.kl for seen in found], uncertainty_of(self._float_logits))
        order = ImageOrder(sizes, self._seed)
        for policy, seen in zip(self._pilots, found, strict=True):
            self._seen[policy.key()] = Seen(seen.kl[order.rows], seen.chosen[order.rows])
            self._complete[policy.key()] = float(seen.kl.mean())
        return order

    @cached_property
    def _samples(self) -> list[Sample]:
        """The images known at the end of each slice."""
        total = len(self._labels)
        counts = {max(round(share * total), min(LEAST_IMAGES, total)) for share in self._shares}
        return [self._order.sample(count) for count in sorted(counts)]

    def _race(self, policy: Policy) -> None:
        for sample in self._samples:
            self._extend(policy, sample)
            if self._is_beaten(policy):
                return

    def _is_beaten(self, policy: Policy) -> bool:
        """Whether `keep` others are surely better."""
        seen = self._seen[policy.key()]
        sample = self._sample(seen)
        least = sample.mean(seen.kl) - SURE * sample.error(seen.kl)
        return sum(kl < least for kl in self._complete.values()) >= self._keep

    def _extend(self, policy: Policy, sample: Sample) -> None:
        """Run a policy on the images of a sample that it has not seen."""
        key, total = policy.key(), len(self._labels)
        before = self._seen.get(key, NOTHING)
        if len(before) >= len(sample.rows):
            return
        new = self._run(policy, sample.rows[len(before) :])
        seen = Seen(np.append(before.kl, new.kl), np.append(before.chosen, new.chosen))
        self._seen[key] = seen
        if len(seen) == total:
            self._complete[key] = float(seen.kl.mean())

    def _run(self, policy: Policy, rows: Rows) -> Seen:
        logits = self._logits(policy, rows)
        self.evaluated += len(rows)
        return Seen(divergences(logits, self._float_logits[rows]), logits.argmax(1))

    def _sample(self, seen: Seen) -> Sample:
        return next(sample for sample in self._samples if len(sample.rows) == len(seen))

    def _score(self, policy: Policy) -> Score:
        seen = self._seen[policy.key()]
        sample = self._sample(seen)
        theirs, labels = self._float_chosen[sample.rows], self._labels[sample.rows]
        # The float network's top-1 is known, so only what a policy changes is estimated.
        gained = (seen.chosen == labels).astype(float) - (theirs == labels)
        return Score(
            top1=share(self.float_top1 + sample.mean(gained)),
            kl=sample.mean(seen.kl),
            agreement=share(1.0 - sample.mean((seen.chosen != theirs).astype(float))),
            images=len(seen),
        )


def share(value: float) -> float:
    """An estimate of a share, which is in 0..1."""
    return min(max(value, 0.0), 1.0)
