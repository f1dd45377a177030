"""Whether boards that share the work give the same answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from haq.board.answers import Device, Latency
from quant.errors import BoardError, InputError
from quant.policy import ENGINE_BITS, Bits, Policy, uniform

KIND = ("cpu", "machine", "arch", "bits16", "types16", "ncnn_version")
RANDOM_CONTROLS = 2
LIMITS: Mapping[str, Any] = {"rel_ci": 0.02, "min_rounds": 20, "max_rounds": 40, "fresh": True}
MOST_DEVIATION = 0.03
"""Ratios of equal boards differ by less, as a share; more is a fault unless noise explains it."""


@dataclass(frozen=True)
class Deviation:
    """Two boards' latencies of one control policy."""

    control: str
    boards: tuple[str, str]
    latencies: tuple[Latency, Latency]

    @property
    def share(self) -> float:
        """Difference of the ratios as a share of the lesser one."""
        low, high = sorted(latency.ratio for latency in self.latencies)
        return high / low - 1

    @property
    def is_fault(self) -> bool:
        """Whether the boards differ by more than the bound, and by more than noise explains."""
        one, other = self.latencies
        apart = one.ratio_high < other.ratio_low or other.ratio_high < one.ratio_low
        return apart and self.share > MOST_DEVIATION

    def __str__(self) -> str:
        noise = ", no more than noise explains" if self.share > MOST_DEVIATION else ""
        return f"by {self.share:.1%} at most{noise} ({self.values})"

    @property
    def values(self) -> str:
        """Both ratios in words."""
        (one, other), (first, second) = self.latencies, self.boards
        return f"{self.control}: {one.ratio:.3f}x on {first}, {other.ratio:.3f}x on {second}"


def check_kinds(devices: Mapping[str, Device]) -> None:
    """Raises InputError unless the boards, by name, are of one kind."""
    (first, expected), *others = devices.items()
    for name, device in others:
        for field in KIND:
            mine, theirs = getattr(expected, field), getattr(device, field)
            if mine != theirs:
                raise InputError(
                    "only boards of one kind can share a search, but the "
                    f"{field.replace('_', ' ')} is {show(mine)} at {first} and {show(theirs)} "
                    f"at {name}"
                )


def show(value: object) -> str:
    """A value of a device for people."""
    return " ".join(sorted(value)) if isinstance(value, frozenset) else f"'{value}'"


def controls(names: Sequence[str]) -> dict[str, Policy]:
    """Policies that every board measures, by what they are called."""
    rng = np.random.default_rng(0)
    found = {f"uniform {bits}": uniform(tuple(names), bits, bits) for bits in (8, 16)}
    for number in range(1, RANDOM_CONTROLS + 1):
        widths = [int(bits) for bits in rng.choice(ENGINE_BITS, len(names))]
        chosen = {n: Bits(b, b) for n, b in zip(names, widths, strict=True)}
        found[f"random {number}"] = Policy(chosen)
    return found


def largest_deviation(
    names: Sequence[str], latencies: Mapping[str, Sequence[Latency]]
) -> Deviation:
    """The pair of boards that differ most; latencies by board, in the order of control names.

    Raises BoardError where boards differ by more than noise explains.
    """
    found = [
        Deviation(control, boards, (latencies[boards[0]][i], latencies[boards[1]][i]))
        for boards in combinations(latencies, 2)
        for i, control in enumerate(names)
    ]
    for deviation in sorted(found, key=lambda one: -one.share):
        if deviation.is_fault:
            raise BoardError(
                f"the boards do not agree, {deviation.values}: check their clocks and cooling, or "
                "leave one out"
            )
    return max(found, key=lambda one: one.share)
