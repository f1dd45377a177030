"""Weights that were found for a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Colours = tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """Named tensors, where they are from, and what images they were made for.

    `scaling` is the mean and the deviation of pixels between 0 and 1, by channel, where these are
    not a half; `side` is pixels a side, None where that is not known.
    """

    state: Mapping[str, Tensor]
    origin: str
    scaling: tuple[Colours, Colours] | None = None
    side: int | None = None
