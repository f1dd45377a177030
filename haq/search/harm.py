"""How much each layer suffers alone: KL with one layer quantized and all others in float.

Where a table knows the errors of its entries, two probes a layer tell the rest (`haq.sensitivity`);
else every width is probed.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import numpy as np

from env.actions import Choices
from env.budget import CostModel, Harm, walk
from haq.progress import Progress
from haq.search.memory import Evaluator
from haq.sensitivity import measure_sensitivities
from quant.policy import Bits, Policy, uniform
from quant.recipe.table import Table

FLOAT = 32
SAMPLES = 15
PROBED_IMAGES = 50_000
"""Images run to probe all layers, at most; ranks of their KL are stable from 64 a probe on."""
LEAST_PROBE_IMAGES, MOST_PROBE_IMAGES = 64, 500
TABLE_PROBE_IMAGES = 100
"""Images of each of the few probes that a table needs."""


def harm_to_json(harm: Harm) -> dict[str, list[dict[str, float]]]:
    """By layer, its alternatives with the KL of each."""
    return {
        name: [{"weight": b.weight, "activation": b.activation, "kl": kl} for b, kl in row.items()]
        for name, row in harm.items()
    }


def measure_harm(evaluator: Evaluator, choices: Choices) -> Harm:
    """KL of every layer at each of its alternatives.

    Weights and activations are probed apart and their KL added: near the float network it is
    additive, and 14 probes a layer do for 49 pairs of bits.
    """
    base = uniform(choices.names, FLOAT, FLOAT)
    asked = [(name, bits) for name in choices.names for bits in probed(choices, name)]
    scores = evaluator.score([base.replace(name, bits) for name, bits in asked])
    kls: dict[str, dict[Bits, float]] = {name: {} for name in choices.names}
    for (name, bits), score in zip(asked, scores, strict=True):
        kls[name][bits] = score.kl
    return {
        name: {bits: harm_of(bits, kls[name]) for bits in choices.alternatives(name)}
        for name in choices.names
    }


def measure_table_harm(
    evaluator: Evaluator, choices: Choices, tables: Mapping[str, Table], progress: Progress
) -> Harm:
    """The same by the sensitivities of a table's entries; the evaluator computes by the table."""
    found = measure_sensitivities(evaluator, tables, progress)
    return {
        name: {bits: found[name].kl(bits) for bits in choices.alternatives(name)}
        for name in choices.names
    }


def probed(choices: Choices, name: str) -> list[Bits]:
    """What is evaluated for one layer."""
    if choices.tied:
        return [bits for bits in choices.alternatives(name) if bits.weight != FLOAT]
    weights = [Bits(w, FLOAT) for w in choices.weight[name] if w != FLOAT]
    activations = [Bits(FLOAT, a) for a in choices.activation[name] if a != FLOAT]
    return weights + activations


def count_probes(choices: Choices) -> int:
    """Evaluations that `measure_harm` asks for."""
    return sum(len(probed(choices, name)) for name in choices.names)


def probe_images(probes: int, most: int) -> int:
    """Images for each of so many probes, so that many widths do not take all the time.

    Nor shall a short search probe for longer than it searches: `most` images are those of all
    episodes.
    """
    each = min(PROBED_IMAGES, most) // probes
    return min(max(each, LEAST_PROBE_IMAGES), MOST_PROBE_IMAGES)


def harm_of(bits: Bits, probes: Mapping[Bits, float]) -> float:
    """KL of a pair of bits from the probes; float costs nothing."""
    if bits in probes:
        return probes[bits]
    parts = (Bits(bits.weight, FLOAT), Bits(FLOAT, bits.activation))
    return sum(probes.get(part, 0.0) for part in parts)


def typical_kl(
    choices: Choices, model: CostModel, bound: float, harm: Harm, rng: np.random.Generator
) -> float:
    """Median of the KL that the harms add up to over random policies within the bound."""
    totals = []
    for _ in range(SAMPLES):
        drawn = [int(rng.choice(step.widths)) for step in choices.steps]
        policy = walk(choices.policy(drawn), choices, model, bound, harm)
        totals.append(total_harm(policy, harm))
    return median(totals)


def total_harm(policy: Policy, harm: Harm) -> float:
    """KL of a policy if the harms of its layers add up."""
    return sum(harm[name][bits] for name, bits in policy.layers.items())
