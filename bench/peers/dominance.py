"""Whether a tool's policy is better than ours in both KL and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.peers.points import Point
from bench.peers.tools import is_ours

NORMAL_95 = 1.96


def dominates(one: Point, other: Point) -> bool:
    """Whether one is as good in KL and cost, and better in one of them, by the estimates alone."""
    as_good = one.score.kl <= other.score.kl and one.cost <= other.cost
    return as_good and (one.score.kl < other.score.kl or one.cost < other.cost)


def surely_dominates(one: Point, other: Point) -> bool:
    """Whether it is better in both beyond the 95 % intervals, of sizes by the numbers."""
    exact = one.low == one.high and other.low == other.high
    cheaper = one.cost < other.cost if exact else one.high < other.low
    return cheaper and kl_gain(one, other)[0] > 0


def kl_gain(one: Point, other: Point) -> tuple[float, float]:
    """95 % interval of the KL that one saves against the other, paired by image."""
    gain = other.kls - one.kls
    error = NORMAL_95 * float(gain.std(ddof=1)) / len(gain) ** 0.5
    mean = float(gain.mean())
    return mean - error, mean + error


def dominations(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    """Every pair of a tool's point and one of ours that it dominates."""
    ours = [point for point in points if is_ours(point.candidate.tool)]
    theirs = [point for point in points if not is_ours(point.candidate.tool)]
    for other in ours:
        for one in theirs:
            if dominates(one, other):
                yield {
                    "tool": one.candidate.tool,
                    "target": one.candidate.target,
                    "wide": one.candidate.wide,
                    "ours": [other.candidate.tool, other.candidate.target],
                    "kl_gain": kl_gain(one, other),
                    "cost": [one.cost, other.cost],
                    "surely": surely_dominates(one, other),
                }
