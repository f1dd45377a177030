"""Who computes a policy's accuracy: ncnn itself, ncnn's float engine, or torch."""

from __future__ import annotations

from typing import Literal

from quant.errors import PolicyError
from quant.naive import Arithmetic
from quant.policy import Policy

How = Literal["auto", "torch", "ncnn"]
Way = Literal["deployed", "simulated", "torch"]
WORDS: dict[Way, str] = {
    "deployed": "ncnn",
    "simulated": "ncnn's float engine",
    "torch": "torch",
}


def choose_way(policy: Policy, arithmetic: Arithmetic, how: How, same16: bool) -> Way:
    """The way to compute a policy in an arithmetic.

    `same16`: this machine's ncnn has the 16-bit types that are asked for. `auto` falls back to
    torch, which can compute everything; `ncnn` raises PolicyError instead.
    """
    if how == "torch":
        return "torch"
    has16 = uses16(policy)
    if policy.is_deployable and arithmetic == "ncnn" and (same16 or not has16):
        return "deployed"
    if not has16:
        return "simulated"
    if how == "auto":
        return "torch"
    raise PolicyError(
        "ncnn cannot compute this policy here: 16 bits go with 8, 16 and 32 in ncnn's arithmetic "
        "only, and with the 16-bit type of this machine; use --evaluate torch"
    )


def uses16(policy: Policy) -> bool:
    """Whether anything is in 16 bits."""
    return any(16 in (bits.weight, bits.activation) for bits in policy.layers.values())
