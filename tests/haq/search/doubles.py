"""Evaluators and meters that count what they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from env.budget import Harm
from haq.board import Latency
from quant.evaluate import Score
from quant.policy import Bits, Policy


class HarmEvaluator:
    """Scores a policy by adding up the harm of its layers."""

    def __init__(self, harm: Harm) -> None:
        self.harm = harm
        self.asked: list[Policy] = []
        self.float_top1 = 0.9

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        self.asked += policies
        return [self.one(policy) for policy in policies]

    def one(self, policy: Policy) -> Score:
        kl = sum(self.harm[name][bits] for name, bits in policy.layers.items())
        return Score(top1=0.9 - kl, kl=kl, agreement=1 - kl, images=50)


class TableMeter:
    """Measures the ratios of a table, keyed by the bits of all layers; notes every batch."""

    def __init__(self, ratios: Mapping[tuple[int, ...], float]) -> None:
        self.ratios = ratios
        self.batches: list[tuple[str, int]] = []

    def measure(self, policies: Sequence[Policy], purpose: str) -> list[Latency]:
        self.batches.append((purpose, len(policies)))
        return [latency(self.ratios[widths(policy)]) for policy in policies]


def widths(policy: Policy) -> tuple[int, ...]:
    return tuple(bits.weight for bits in policy.layers.values())


def tied(*bits: int) -> Policy:
    """Layers `l0`, `l1`, ... of these bits."""
    return Policy({f"l{i}": Bits(b, b) for i, b in enumerate(bits)})


def latency(ratio: float, reference_ms: float = 2.0, **other: Any) -> Latency:
    values: dict[str, Any] = {
        "ratio": ratio,
        "ratio_low": ratio - 0.004,
        "ratio_high": ratio + 0.004,
        "latency_ms": ratio * reference_ms,
        "mad_ms": 0.01,
        "rounds": 20,
        "noise": 0.001,
        "checksum": "0",
        "reference_ms": reference_ms,
        "conditions": {"load_average": 0.5},
    }
    return Latency(**{**values, **other})
