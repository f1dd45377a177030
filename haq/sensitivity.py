"""How much each entry of the quantizer's table costs alone: KL from the float network.

Two probes a layer are run, weights alone and inputs alone at 4 bits, all else in float; the other
bits follow from the errors of their entries, to which the KL of a small change is proportional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haq.progress import Progress
from haq.search.memory import Evaluator
from quant.policy import FLOAT_BITS, Bits, uniform
from quant.recipe.table import InputEntry, LayerTable, WeightEntry

PROBED_BITS = 4


@dataclass(frozen=True)
class Sensitivity:
    """KL in nats by bits, of weights and of inputs."""

    weights: Mapping[int, float]
    inputs: Mapping[int, float]

    def kl(self, bits: Bits) -> float:
        """KL of weights and inputs together; what the table does not hold is float."""
        return self.weights.get(bits.weight, 0.0) + self.inputs.get(bits.activation, 0.0)


def measure_sensitivities(
    evaluator: Evaluator, tables: Mapping[str, LayerTable], progress: Progress
) -> dict[str, Sensitivity]:
    """Sensitivities of all layers; the evaluator computes by a quantizer on these tables."""
    names = list(tables)
    progress.start("sensitivity of every layer", 2 * len(names))
    return {
        name: Sensitivity(
            scaled(tables[name].weights, probe(evaluator, names, name, "weight", progress)),
            scaled(tables[name].inputs, probe(evaluator, names, name, "input", progress)),
        )
        for name in names
    }


def probe(
    evaluator: Evaluator, names: Sequence[str], name: str, part: str, progress: Progress
) -> float:
    """KL with one part of one layer at 4 bits."""
    low, full = PROBED_BITS, FLOAT_BITS
    bits = Bits(low, full) if part == "weight" else Bits(full, low)
    kl = evaluator.score([uniform(names, full, full).replace(name, bits)])[0].kl
    progress.advance(f"KL {kl:.2g}")
    return kl


def scaled(
    entries: Mapping[int, WeightEntry] | Mapping[int, InputEntry], kl: float
) -> dict[int, float]:
    """KL at all bits from that at the probed ones."""
    unit = max(entries[PROBED_BITS].error, 1e-12)
    return {bits: kl * entry.error / unit for bits, entry in entries.items()}
