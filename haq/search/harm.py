"""How much each layer suffers alone: KL with one layer quantized and all others in float."""

from __future__ import annotations

from env.actions import Choices
from env.budget import Harm
from haq.search.memory import Evaluator
from quant.policy import Bits, Policy, uniform

FLOAT = 32


def measure_harm(evaluator: Evaluator, choices: Choices) -> Harm:
    """KL of every layer at each of its alternatives.

    Weights and activations are probed apart and their KL added: near the float network it is
    additive, and 14 probes a layer do for 49 pairs of bits.
    """
    names = choices.names
    base = uniform(names, FLOAT, FLOAT)
    harm: dict[str, dict[Bits, float]] = {}
    for name in names:
        probes = {b: kl_alone(evaluator, base.replace(name, b)) for b in probed(choices, name)}
        harm[name] = {b: harm_of(b, probes) for b in choices.alternatives(name)}
    return harm


def probed(choices: Choices, name: str) -> list[Bits]:
    """What is evaluated for one layer."""
    if choices.tied:
        return [bits for bits in choices.alternatives(name) if bits.weight != FLOAT]
    weights = [Bits(w, FLOAT) for w in choices.weight[name] if w != FLOAT]
    activations = [Bits(FLOAT, a) for a in choices.activation[name] if a != FLOAT]
    return weights + activations


def kl_alone(evaluator: Evaluator, policy: Policy) -> float:
    """KL of one policy."""
    return evaluator.score([policy])[0].kl


def harm_of(bits: Bits, probes: dict[Bits, float]) -> float:
    """KL of a pair of bits from the probes; float costs nothing."""
    if bits in probes:
        return probes[bits]
    parts = (Bits(bits.weight, FLOAT), Bits(FLOAT, bits.activation))
    return sum(probes.get(part, 0.0) for part in parts)
