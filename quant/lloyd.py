"""Lloyd's algorithm for numbers: weighted k-means in one dimension, deterministic.

Sorted, the numbers of a cluster are neighbours: a cluster is two positions, its mean a difference
of running sums, and a step costs a few binary searches, however many numbers there are.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 5000
"""Steps of one run; the networks of the zoo take up to 1,500."""

Doubles = NDArray[np.float64]
Positions = NDArray[np.intp]


def middles(centroids: Doubles) -> Doubles:
    """Bounds between ascending centroids."""
    between: Doubles = (centroids[1:] + centroids[:-1]) / 2
    return between


class Sorted:
    """Numbers with their importance, ascending, whose sums over any stretch are known."""

    def __init__(self, values: Doubles, importance: Doubles | None = None) -> None:
        """`importance` are positive factors of the squared errors; None stands for ones."""
        order = np.argsort(values, kind="stable")
        self.values = values[order]
        mass = np.ones(len(values)) if importance is None else importance[order]
        # Around their mean, so that errors are no small differences of large squares.
        self._centre = float(self.values.mean())
        centred = self.values - self._centre
        self._mass, self._sums, self._squares = (
            np.concatenate([[0.0], np.cumsum(mass * centred**power)]) for power in (0, 1, 2)
        )

    @cached_property
    def distinct(self) -> Doubles:
        """The values without repetition."""
        return np.unique(self.values)

    def edges(self, centroids: Doubles) -> Positions:
        """Where the stretch of each centroid's nearest numbers begins, and the end of the last."""
        inner = np.searchsorted(self.values, middles(centroids))
        return np.concatenate([[0], inner, [len(self.values)]])

    def means(self, edges: Positions) -> Doubles:
        """Mean of every stretch; none may be empty."""
        means: Doubles = np.diff(self._sums[edges]) / np.diff(self._mass[edges]) + self._centre
        return means

    def errors(self, edges: Positions) -> Doubles:
        """Squared distances from its mean, summed, of every stretch; none may be empty."""
        sums, mass = np.diff(self._sums[edges]), np.diff(self._mass[edges])
        errors: Doubles = np.diff(self._squares[edges]) - sums**2 / mass
        return errors

    def error(self, centroids: Doubles) -> float:
        """Squared distances of all numbers from the mean of those that share their centroid."""
        return float(self.errors(np.unique(self.edges(centroids))).sum())


def fit(numbers: Sorted, bits: int) -> Doubles:
    """Ascending centroids (2^bits,): the better of two starts, evenly spread and from bits - 1.

    Even spreading keeps the few large weights (Han et al. 2016); halving every cluster of one bit
    less (Linde, Buzo and Gray 1980) follows the many small ones.
    """
    count = 2**bits
    if len(numbers.distinct) <= count:
        return np.pad(numbers.distinct, (0, count - len(numbers.distinct)), mode="edge")
    even = np.linspace(numbers.values[0], numbers.values[-1], count)
    if bits == 0:
        return lloyd(numbers, even)
    starts = (even, halves(numbers, fit(numbers, bits - 1)))
    return min((lloyd(numbers, start) for start in starts), key=numbers.error)


def halves(numbers: Sorted, centroids: Doubles) -> Doubles:
    """Twice as many centroids: the means of each cluster's numbers below and above its centroid."""
    edges = numbers.edges(centroids)
    cuts = np.searchsorted(numbers.values, centroids)
    return filled(numbers, np.sort(np.concatenate([edges, np.clip(cuts, edges[:-1], edges[1:])])))


def lloyd(numbers: Sorted, centroids: Doubles) -> Doubles:
    """Centroids moved to the means of their nearest numbers until nothing changes."""
    edges = numbers.edges(centroids)
    for _ in range(MAX_STEPS):
        centroids = filled(numbers, edges)
        moved = numbers.edges(centroids)
        if np.array_equal(moved, edges):
            break
        edges = moved
    return centroids


def filled(numbers: Sorted, edges: Positions) -> Doubles:
    """Mean of every stretch, ascending; instead of an empty one the worst other one is halved."""
    used = np.unique(edges)
    while len(used) < len(edges):
        means, errors = numbers.means(used), numbers.errors(used)
        worst = np.argsort(-errors, kind="stable")[: len(edges) - len(used)]
        cuts = np.searchsorted(numbers.values, means[worst])
        grown = np.unique(np.concatenate([used, cuts]))
        if len(grown) == len(used):
            break
        used = grown
    means = numbers.means(used)
    return np.pad(means, (0, len(edges) - len(used)), mode="edge")
