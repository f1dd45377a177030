"""What an episode earns."""

from __future__ import annotations

from collections.abc import Callable

from haq.names import RewardKind
from quant.evaluate import Score

Reward = Callable[[Score], float]
SHARE_FACTOR = 10.0
"""0.1 for each percent point (Wang et al. 2019, section 3.4)."""
LEAST_KL = 1e-9


def make_reward(
    kind: RewardKind, float_top1: float, typical_kl: float, float_metric: float | None = None
) -> Reward:
    """`kl`: minus the KL as a multiple of `typical_kl`, so that rewards are of the order of 1.

    `top1`: HAQ's 0.1 times the difference of accuracies in percent points; on some hundred images
    it cannot tell policies near 8 bits apart. `metric`: the same of the metric that scores have,
    of top-1 where they have no other.
    """
    if kind == "top1" or (kind == "metric" and float_metric is None):
        return lambda score: SHARE_FACTOR * (score.top1 - float_top1)
    if kind == "metric":
        return lambda score: SHARE_FACTOR * gain(score, float_metric)
    scale = max(typical_kl, LEAST_KL)
    return lambda score: -score.kl / scale


def gain(score: Score, float_metric: float | None) -> float:
    """By how much a policy's metric is above the float network's. Raises ValueError without one."""
    if score.metric is None or float_metric is None:
        raise ValueError("a reward by a metric needs scores with one")
    return score.metric.value - float_metric
