"""How much each entry of the quantizer's table costs alone: KL from the float network.

Two probes a layer are run, weights alone and inputs alone at 4 bits, all else in float; the other
bits follow from the errors of their entries, to which the KL of a small change is proportional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from haq.progress import Progress, chunks
from haq.search.memory import Evaluator
from quant.policy import FLOAT_BITS, Bits, Policy, uniform
from quant.recipe.table import Table

PROBED_BITS = 4
AT_ONCE = 32
"""Probes that are asked for together, for workers to share."""


@dataclass(frozen=True)
class Sensitivity:
    """KL in nats by bits, of weights and of inputs."""

    weights: Mapping[int, float]
    inputs: Mapping[int, float]

    def kl(self, bits: Bits) -> float:
        """KL of weights and inputs together; what the table does not hold is float."""
        return self.weights.get(bits.weight, 0.0) + self.inputs.get(bits.activation, 0.0)


def measure_sensitivities(
    evaluator: Evaluator, tables: Mapping[str, Table], progress: Progress
) -> dict[str, Sensitivity]:
    """Sensitivities of all layers; the evaluator computes by a quantizer on these tables."""
    names = list(tables)
    progress.start("sensitivity of every layer", 2 * len(names))
    kls = iter(run(evaluator, probes(names), progress))
    return {
        name: Sensitivity(
            scaled(tables[name].weights, next(kls)), scaled(tables[name].inputs, next(kls))
        )
        for name in names
    }


def probes(names: Sequence[str]) -> list[Policy]:
    """For every layer, its weights alone and its inputs alone at 4 bits."""
    low, full = PROBED_BITS, FLOAT_BITS
    floats, parts = uniform(names, full, full), (Bits(low, full), Bits(full, low))
    return [floats.replace(name, bits) for name in names for bits in parts]


def run(evaluator: Evaluator, policies: Sequence[Policy], progress: Progress) -> list[float]:
    """KL of every policy, each a step of progress."""
    found: list[float] = []
    for some in chunks(policies, AT_ONCE):
        for score in evaluator.score(some):
            progress.advance(f"KL {score.kl:.2g}")
            found.append(score.kl)
    return found


class Entry(Protocol):
    """An entry of a table."""

    @property
    def error(self) -> float:
        """What it loses, in a unit of the table's own."""


def scaled(entries: Mapping[int, Entry], kl: float) -> dict[int, float]:
    """KL at all bits from that at the probed ones."""
    unit = max(entries[PROBED_BITS].error, 1e-12)
    return {bits: kl * entry.error / unit for bits, entry in entries.items()}
