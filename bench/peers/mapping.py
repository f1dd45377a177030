"""From what a tool answers to policies that we can score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.peers.tools import SettingName, is_ours
from quant.policy import FLOAT_BITS, Bits, Policy

INTEGER_BITS, HALF_BITS = 8, 16
Pair = tuple[int | None, int | None]
"""Weight and activation bits, None where they are left in float."""


@dataclass(frozen=True)
class Candidate:
    """A policy of a tool as it is scored; `wide` is what stands for more than 8 bits, if chosen."""

    tool: str
    target: float | None
    policy: Policy
    wide: int | None = None


def candidates(
    tool: str, setting: SettingName, answer: Mapping[str, Any], names: Sequence[str]
) -> Iterator[Candidate]:
    """The policies of an answer over the layers `names`.

    On the board, what others leave beyond 8 bits is run at 16 bits and, as a policy of its own, in
    float: which is faster and which keeps more depends on the board, and both count for the tool.
    Raises KeyError for an answer that lacks a layer.
    """
    for found in answer["policies"]:
        bits = {n: (found["weight_bits"][n], found["activation_bits"][n]) for n in names}
        target = found["target"]
        if setting == "size" or is_ours(tool):
            yield Candidate(tool, target, as_it_is(bits))
        else:
            known = {tied(bits, wide): wide for wide in (FLOAT_BITS, HALF_BITS)}
            for policy, wide in known.items():
                yield Candidate(tool, target, policy, wide)


def as_it_is(bits: Mapping[str, Pair]) -> Policy:
    """The same bits; of layers left in float 32."""
    return Policy({n: Bits(w or FLOAT_BITS, a or FLOAT_BITS) for n, (w, a) in bits.items()})


def tied(bits: Mapping[str, Pair], wide: int) -> Policy:
    """What ncnn can run: 8 bits where weights and activations have 8 at most, else `wide`."""
    widths = {name: INTEGER_BITS if is_narrow(pair) else wide for name, pair in bits.items()}
    return Policy({name: Bits(width, width) for name, width in widths.items()})


def is_narrow(pair: Pair) -> bool:
    """Whether neither is beyond 8 bits."""
    return all(bits is not None and bits <= INTEGER_BITS for bits in pair)
