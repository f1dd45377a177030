"""What an episode earns."""

from __future__ import annotations

from collections.abc import Callable

from haq.names import RewardKind
from quant.evaluate import Score

Reward = Callable[[Score], float]
TOP1_FACTOR = 10.0
"""0.1 for each percent point (Wang et al. 2019, section 3.4)."""
LEAST_KL = 1e-9


def make_reward(kind: RewardKind, float_top1: float, typical_kl: float) -> Reward:
    """`kl`: minus the KL as a multiple of `typical_kl`, so that rewards are of the order of 1.

    `top1`: HAQ's 0.1 times the difference of accuracies in percent points; on some hundred images
    it cannot tell policies near 8 bits apart.
    """
    if kind == "top1":
        return lambda score: TOP1_FACTOR * (score.top1 - float_top1)
    scale = max(typical_kl, LEAST_KL)
    return lambda score: -score.kl / scale
