"""A policy on images that no search has seen: its scores, its latency, the bytes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from haq.board import Latency
from quant.evaluate import Score
from quant.policy import Policy

ScoreKind = Literal["executed", "simulated", "finetuned"]
"""Executed by ncnn itself, fake-quantized, and with finetuned centroids where weights are shared.

The first two agree in the mean only: a value that one of them rounds the other way changes all
that follows from it.
"""


@dataclass(frozen=True)
class Rated:
    """A rated policy; `scores` holds "executed", "simulated" or both."""

    policy: Policy
    scores: Mapping[ScoreKind, Score]
    latency: Latency | None
    size_bytes: int

    @property
    def score(self) -> Score:
        """As ncnn executes the policy where it can, else as simulated."""
        return self.scores.get("executed") or self.scores["simulated"]

    def to_json(self) -> dict[str, Any]:
        """The numbers, without the policy; the latency is null where it cannot be measured.

        A metric is there where one was asked for beside top-1.
        """
        metric = self.score.metric
        return {
            "top1": self.score.top1,
            "kl": self.score.kl,
            **({"metric": asdict(metric)} if metric else {}),
            "latency_ratio": self.latency.ratio if self.latency else None,
            "latency_ms": self.latency.latency_ms if self.latency else None,
            "size_bytes": self.size_bytes,
        }
