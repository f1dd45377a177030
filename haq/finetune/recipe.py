"""Hyper-parameters of a finetuning, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from quant.errors import InputError
from quant.learned import Kind

Stages = Literal["whole", "blocks"]


@dataclass(frozen=True)
class Recipe:
    """Adam's rates fall to zero as half a cosine, in every stage.

    `rate` is that of weights, in their own steps; steps and biases have shares of it. `epochs` are
    those of each stage. `distill` learns the float network's logits at a temperature, `labels` the
    classes; with both, the losses add up. `drop` is QDrop's probability.
    """

    epochs: int = 2
    batch: int = 32
    rate: float = 0.01
    step_share: float = 0.1
    bias_share: float = 0.1
    distill: bool = True
    labels: bool = False
    temperature: float = 2.0
    stages: Stages = "whole"
    augment: bool = True
    drop: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.distill or self.labels):
            raise InputError("there is nothing to learn from: ask for --distill or --labels")

    def rate_of(self, kind: Kind, progress: float) -> float:
        """Learning rate of a kind of parameters after a share `progress` of a stage."""
        shares: dict[Kind, float] = {
            "weights": 1.0,
            "steps": self.step_share,
            "biases": self.bias_share,
        }
        return shares[kind] * self.rate * (1.0 + math.cos(math.pi * progress)) / 2.0
