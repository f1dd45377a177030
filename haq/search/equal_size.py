"""Uniform bits at the size of a found policy, where weights are shared by k-means.

No uniform policy has exactly that size, so the nearest ones from below and above stand for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from env.budget import CostModel
from haq.search.rated import Rated, ScoreKind
from quant.policy import FLOAT_BITS, SHARED_BITS, Policy, uniform

KINDS: tuple[ScoreKind, ...] = ("simulated", "finetuned")


def uniforms_near(size_bytes: float, size: CostModel, names: Sequence[str]) -> dict[str, Policy]:
    """Uniform shared weights next below and above a size, by short name as in `w3a32`.

    One of them where the other does not exist, or where one has just this size.
    """
    policies = {f"w{bits}a32": uniform(names, bits, FLOAT_BITS) for bits in SHARED_BITS}
    sizes = {name: size.cost(policy) for name, policy in policies.items()}
    below = [name for name in policies if sizes[name] <= size_bytes][-1:]
    above = [name for name in policies if sizes[name] >= size_bytes][:1]
    return {name: policies[name] for name in dict.fromkeys([*below, *above])}


def size_details(best: Rated, near: Mapping[str, Rated]) -> dict[str, Any]:
    """What the report shows of the uniform policies near a found one; see `at_equal_size`."""
    return {
        "uniform_kmeans": {name: rated.to_json() for name, rated in near.items()},
        "equal_size": at_equal_size(best, list(near.values())),
    }


def at_equal_size(best: Rated, near: Sequence[Rated]) -> dict[str, Any] | None:
    """KL of the found policy and of uniform bits at its size, by kind of score.

    None unless `near` holds a policy on either side, the smaller one first.
    """
    if len(near) != 2:
        return None
    low, high = near
    share = (best.size_bytes - low.size_bytes) / (high.size_bytes - low.size_bytes)
    return {
        kind: {
            "found_kl": best.scores[kind].kl,
            "uniform_kl": between(low.scores[kind].kl, high.scores[kind].kl, share),
        }
        for kind in KINDS
        if kind in best.scores
    }


def between(low: float, high: float, share: float) -> float:
    """A KL between two, its logarithm in proportion: every bit divides the KL by some factor."""
    return float(low ** (1 - share) * high**share)
