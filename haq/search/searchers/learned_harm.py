"""What is believed of the KL of policies: the harm of every layer alone, corrected by trials.

A policy's log KL is that of the sum S of its terms' harms (weights and activations of each layer),
plus a linear function of log S, plus each term's own correction as far as the term makes up S. All
of these are normal variables beforehand, and every trial is a noisy observation of a sum of them:
Bayesian linear regression (Rasmussen and Williams 2006, section 2.1), in the space of the trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from env.actions import Choices
from env.budget import Harm
from quant.policy import Bits, Policy

OWN = 0.5
"""Standard deviation of the logarithm by which the harm of a term is off."""
LEVELS = np.array([1.0, 0.3])
"""Standard deviations of what is common: a factor, and a power of S beyond the first."""
NOISE = 0.05
"""Standard deviation of log KL that no sum of terms explains."""
BOLDNESS = 0.3
"""How far a draw goes from the mean, in standard deviations, once much is known. With a hundred
terms, what is the best by a draw of full strength owes that to luck. 0.3 led to less KL than 0.5
(three kinds of cost, one seed) and 0.2 (two kinds, two seeds)."""
CALM_TRIALS = 40
"""So many trials until then: the first ones are to teach, and begin at full strength. 40 led to
less KL than none and 80 (two kinds of cost, one or two seeds)."""
LEAST_SHARE = 1e-5
"""A term's harm is at least this share of the largest: some are measured as zero."""
LEAST_KL = 1e-12

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """Harm of every term (a step and one of its widths) and the index at which a step's begin."""

    choices: Choices
    harms: Vector
    starts: tuple[int, ...]

    def active(self, policies: Sequence[Policy]) -> NDArray[np.int64]:
        """Indexes (policies, steps) of the terms of policies. Raises PolicyError."""
        rows = [self._row(policy) for policy in policies]
        return np.array(rows, dtype=np.int64).reshape(-1, len(self.starts))

    def _row(self, policy: Policy) -> list[int]:
        steps = zip(self.starts, self.choices.steps, self.choices.widths(policy), strict=True)
        return [start + step.widths.index(width) for start, step, width in steps]


def make_terms(choices: Choices, harm: Harm) -> Terms:
    """Terms of harms that are sums over weights and activations."""
    parts = [step_harms(choices, harm, index) for index in range(len(choices.steps))]
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    harms = np.concatenate(parts)
    return Terms(
        choices, np.maximum(harms, LEAST_SHARE * harms.max() + LEAST_KL), tuple(starts[:-1])
    )


def step_harms(choices: Choices, harm: Harm, index: int) -> Vector:
    """Harm of each width of a step, as far as the step makes it."""
    step = choices.steps[index]
    row = harm[step.layer]
    if choices.one_step:
        by_weight = {bits.weight: kl for bits, kl in row.items()}
        return np.array([by_weight[width] for width in step.widths])
    w, a = choices.weight[step.layer][-1], choices.activation[step.layer][-1]
    if step.is_weight:
        return np.array([row[Bits(width, a)] for width in step.widths])
    return np.array([row[Bits(w, width)] - row[Bits(w, a)] for width in step.widths])


class LearnedHarm:
    """Beliefs about the KL of policies, by what was observed."""

    def __init__(self, choices: Choices, harm: Harm) -> None:
        self.terms = make_terms(choices, harm)
        self._seen: dict[str, tuple[NDArray[np.int64], float]] = {}

    def observe(self, policy: Policy, kl: float) -> None:
        """Take in what a policy scored; a later score of the same policy replaces it."""
        row = self.terms.active([policy])[0]
        self._seen[policy.key()] = (row, float(np.log(max(kl, LEAST_KL))))

    def draw(self, rng: np.random.Generator | None = None) -> Belief:
        """One drawn from what may be true, `boldness` as far from the mean; that without `rng`."""
        belief = self._prior(rng)
        if not self._seen:
            return belief
        rows = np.stack([row for row, _ in self._seen.values()])
        wanted = np.array([log_kl for _, log_kl in self._seen.values()])
        noise = 0.0 if rng is None else rng.normal(0, self._boldness * NOISE, len(rows))
        features, common = self._features(rows), self._common(rows)
        spread = OWN**2 * features @ features.T + common @ common.T + NOISE**2 * np.eye(len(rows))
        # A draw from the posterior is one from the prior, pulled to what was observed.
        pull = np.linalg.solve(spread, wanted - belief.log_kl_of(rows) - noise)
        return Belief(
            self.terms,
            belief.own + OWN**2 * features.T @ pull,
            belief.common + LEVELS * (common.T @ pull),
        )

    def _prior(self, rng: np.random.Generator | None) -> Belief:
        count = len(self.terms.harms)
        if rng is None:
            return Belief(self.terms, np.zeros(count), np.zeros(2))
        bold = self._boldness
        own = rng.normal(0, bold * OWN, count)
        return Belief(self.terms, own, rng.normal(0, bold, 2) * LEVELS)

    @property
    def _boldness(self) -> float:
        return boldness(len(self._seen))

    def _features(self, rows: NDArray[np.int64]) -> Vector:
        """Share (trials, terms) that each term has of its policy's sum."""
        found = np.zeros((len(rows), len(self.terms.harms)))
        harms = self.terms.harms[rows]
        np.put_along_axis(found, rows, harms / harms.sum(1, keepdims=True), 1)
        return found

    def _common(self, rows: NDArray[np.int64]) -> Vector:
        """What multiplies the common factor and the power, (trials, 2), in standard deviations."""
        scaled: Vector = common_of(self.terms.harms[rows].sum(1)) * LEVELS
        return scaled


def boldness(trials: int) -> float:
    """How far a draw goes from the mean after so many trials, in standard deviations."""
    return max(BOLDNESS, 1 - trials / CALM_TRIALS)


def common_of(sums: Vector) -> Vector:
    """1 and log S (n, 2)."""
    return np.stack([np.ones(len(sums)), np.log(sums)], 1)


@dataclass(frozen=True)
class Belief:
    """One set of corrections: `own` (terms,) and `common` (2,)."""

    terms: Terms
    own: Vector
    common: Vector

    def log_kl(self, policies: Sequence[Policy]) -> Vector:
        """Logarithm of the KL of policies (n,). Raises PolicyError."""
        return self.log_kl_of(self.terms.active(policies))

    def log_kl_of(self, rows: NDArray[np.int64]) -> Vector:
        """The same of indexes of terms (n, steps)."""
        harms = self.terms.harms[rows]
        sums = harms.sum(1)
        own = (harms * self.own[rows]).sum(1) / sums
        found: Vector = np.log(sums) + own + common_of(sums) @ self.common
        return found

    @cached_property
    def harm(self) -> Harm:
        """The corrected harm of every layer, but for the common factor and power."""
        choices = self.terms.choices
        kl = self.terms.harms * np.exp(self.own)
        made: dict[str, dict[Bits, float]] = {}
        for index, name in enumerate(choices.names):
            made[name] = {b: self._of_layer(kl, index, b) for b in choices.alternatives(name)}
        return made

    def _of_layer(self, kl: Vector, index: int, bits: Bits) -> float:
        steps, starts = self.terms.choices.steps, self.terms.starts
        if self.terms.choices.one_step:
            return float(kl[starts[index] + steps[index].widths.index(bits.weight)])
        w, a = 2 * index, 2 * index + 1
        weight = kl[starts[w] + steps[w].widths.index(bits.weight)]
        return float(weight + kl[starts[a] + steps[a].widths.index(bits.activation)])
