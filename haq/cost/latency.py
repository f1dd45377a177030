"""Latency predicted from a profile of the board, corrected by every whole-network measurement.

A policy's cost is its latency as a ratio to the float network. The prior is additive: for every
layer what its bits save or lose against float in isolation, and for neighbours what their pair of
bits saves or loses beyond that (fused requantization, casts). Isolated times are off by a common
factor, each by something of its own, and all by what a byte of weights takes: a layer alone finds
its weights in the cache, in a network they come from further away. All of these are normal
variables, and every measured policy is a noisy observation of a sum of them: the posterior mean is
linear regression with this prior (Rasmussen and Williams 2006, section 2.1), computed in the space
of the observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from device_agent.measuring.prediction import Term, effects
from env.actions import Choices
from quant.policy import FLOAT_BITS, Bits, Policy

OWN_ERROR = 0.3
"""Relative standard deviation of a term's own error; isolated layers are off by about this."""
COMMON_ERROR = 0.3
"""Relative standard deviation of the factor that all terms share."""
WEIGHTS_MS_PER_MB = 0.1
"""Standard deviation of what a megabyte of weights takes beyond its isolated layer: 10 GB/s. Of its
own for each width, as each has kernels of its own."""
LEAST_ERROR = 0.002
"""Standard deviation of a term that the profile takes for zero, as a ratio."""
LEAST_NOISE = 0.003
"""Standard deviation of a measured ratio, at best."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Effect of every term on the ratio to the float network, which itself is at zero.

    `shared` (causes, terms) are the errors that terms have in common: each cause is one standard
    normal variable, times what it adds to each term.
    """

    terms: tuple[Term, ...]
    effects: Vector
    shared: Matrix


def make_prior(
    layers: Mapping[str, Mapping[int, float]],
    pairs: Mapping[tuple[str, str], Mapping[tuple[int, int], float]],
    reference_ms: float,
    weight_counts: Mapping[str, int],
) -> Prior:
    """Prior from isolated milliseconds by layer and bits, and of producer-consumer networks.

    `weight_counts` has the weights of every layer.
    """
    found = effects(layers, pairs, reference_ms)
    values = np.array(list(found.values()), dtype=np.float64)
    saved = [WEIGHTS_MS_PER_MB / reference_ms * mb for mb in megabytes_saved(found, weight_counts)]
    return Prior(tuple(found), values, np.stack([COMMON_ERROR * values, *saved]))


def megabytes_saved(terms: Iterable[Term], weight_counts: Mapping[str, int]) -> list[Vector]:
    """By width below float: what each term saves of its layer's weights, which pairs do not."""
    alone = [term if len(term) == 2 else None for term in terms]
    widths = sorted({term[1] for term in alone if term})
    return [
        np.array([saved_mb(weight_counts[t[0]], w) if t and t[1] == w else 0.0 for t in alone])
        for w in widths
    ]


def saved_mb(weights: int, bits: int) -> float:
    """Megabytes that weights have less than in float."""
    return weights * (FLOAT_BITS - bits) / 8e6


class LatencyCost:
    """Predicted latency ratio to the float network; `observe` corrects it."""

    unit = "x float latency"

    def __init__(
        self,
        choices: Choices,
        prior: Prior,
    ) -> None:
        """`choices` must be tied: what ncnn can run."""
        self.choices = choices
        self._prior = prior
        self._index = {term: i for i, term in enumerate(prior.terms)}
        self.pairs = sorted({(t[0], t[1]) for t in prior.terms if len(t) == 4})
        self._neighbours = neighbours(self.pairs)
        self._rows: list[Vector] = []
        self._ratios: list[float] = []
        self._noises: list[float] = []

    def cost(self, policy: Policy) -> float:
        """Predicted ratio."""
        return 1.0 + float(self._effects[self._active(policy)].sum())

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> list[float]:
        """Change of the predicted ratio by switching one layer to each of the alternatives."""
        now = self._local(policy, layer, policy[layer].weight)
        return [self._local(policy, layer, bits.weight) - now for bits in alternatives]

    def least(self) -> Policy:
        """The policy of least predicted ratio, by dynamic programming along the pairs.

        Exact where every layer has at most one direct producer, as in chains and trees.
        """
        best: dict[str, dict[int, float]] = {}
        chosen: dict[tuple[str, str, int], int] = {}
        children = {a: [c for p, c in self.pairs if p == a] for a in self.choices.names}
        for name in reversed(self.choices.names):
            best[name] = {}
            for bits in self.choices.weight[name]:
                total = self._effect((name, bits))
                for child in children[name]:
                    options = {
                        b: value + self._effect((name, child, bits, b))
                        for b, value in best[child].items()
                    }
                    pick = min(options, key=options.__getitem__)
                    chosen[name, child, bits] = pick
                    total += options[pick]
                best[name][bits] = total
        return self._trace_back(best, chosen, children)

    def observe(self, policy: Policy, ratio: float, deviation: float) -> None:
        """Take in a measured ratio and its standard deviation."""
        row = np.zeros(len(self._prior.terms))
        row[self._active(policy)] = 1.0
        self._rows.append(row)
        self._ratios.append(ratio)
        self._noises.append(max(deviation, LEAST_NOISE))
        vars(self).pop("_effects", None)

    def draw(self, rng: np.random.Generator) -> LatencyCost:
        """A model as likely as this one, given what was measured: not the mean, one sample.

        What is measured because a drawn model finds it the least is a Thompson sample (Russo et al.
        2018, A tutorial on Thompson sampling).
        """
        drawn = LatencyCost(self.choices, self._prior)
        start = draw_effects(self._prior, rng)
        drawn._effects = start
        if self._rows:
            noises = np.array(self._noises)
            ratios = np.array(self._ratios) + noises * rng.standard_normal(len(noises))
            measured = np.stack(self._rows), ratios, noises
            drawn._effects = posterior(self._prior, *measured, start=start)
        return drawn

    @cached_property
    def _effects(self) -> Vector:
        """Those of the prior, corrected by all that was measured until they are asked for."""
        if not self._rows:
            return self._prior.effects
        measured = np.stack(self._rows), np.array(self._ratios), np.array(self._noises)
        return posterior(self._prior, *measured)

    def _active(self, policy: Policy) -> list[int]:
        layer_terms: Iterable[Term] = ((n, policy[n].weight) for n in self.choices.names)
        pair_terms: Iterable[Term] = (
            (a, b, policy[a].weight, policy[b].weight) for a, b in self.pairs
        )
        wanted = (*layer_terms, *pair_terms)
        return [self._index[term] for term in wanted if term in self._index]

    def _effect(self, term: Term) -> float:
        index = self._index.get(term)
        return 0.0 if index is None else float(self._effects[index])

    def _local(self, policy: Policy, layer: str, bits: int) -> float:
        """Sum of the terms that the layer's bits touch."""
        producers, consumers = self._neighbours.get(layer, ((), ()))
        return (
            self._effect((layer, bits))
            + sum(self._effect((p, layer, policy[p].weight, bits)) for p in producers)
            + sum(self._effect((layer, c, bits, policy[c].weight)) for c in consumers)
        )

    def _trace_back(
        self,
        best: Mapping[str, Mapping[int, float]],
        chosen: Mapping[tuple[str, str, int], int],
        children: Mapping[str, Sequence[str]],
    ) -> Policy:
        bits: dict[str, int] = {}
        for name in self.choices.names:
            bits.setdefault(name, min(best[name], key=best[name].__getitem__))
            for child in children[name]:
                bits.setdefault(child, chosen[name, child, bits[name]])
        return Policy({name: Bits(bits[name], bits[name]) for name in self.choices.names})


def neighbours(
    pairs: Iterable[tuple[str, str]],
) -> dict[str, tuple[list[str], list[str]]]:
    """Producers and consumers of every layer that is in a pair."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for producer, consumer in pairs:
        found.setdefault(consumer, ([], []))[0].append(producer)
        found.setdefault(producer, ([], []))[1].append(consumer)
    return found


def posterior(
    prior: Prior, rows: Matrix, ratios: Vector, noises: Vector, start: Vector | None = None
) -> Vector:
    """Posterior mean of the effects (terms,) after measured ratios (n,) of policies (n, terms).

    With a draw of the prior to start from, and ratios with a draw of their noise, it is a draw of
    the posterior (Matheron's rule; Wilson et al. 2021, section 3).
    """
    base = prior.effects if start is None else start
    own = np.square(own_errors(prior))
    shared = rows @ prior.shared.T
    spread = (rows * own) @ rows.T + shared @ shared.T + np.diag(np.square(noises))
    pull = np.linalg.solve(spread, ratios - 1.0 - rows @ base)
    corrected: Vector = base + (rows * own).T @ pull + prior.shared.T @ (shared.T @ pull)
    return corrected


def draw_effects(prior: Prior, rng: np.random.Generator) -> Vector:
    """Effects as the prior holds them likely."""
    causes = rng.standard_normal(len(prior.shared))
    own = own_errors(prior) * rng.standard_normal(len(prior.effects))
    return np.asarray(prior.effects + own + causes @ prior.shared)


def own_errors(prior: Prior) -> Vector:
    """Standard deviation of every term's own error."""
    return np.asarray(OWN_ERROR * np.abs(prior.effects) + LEAST_ERROR)
