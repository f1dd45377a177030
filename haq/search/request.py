"""What a search is asked to do, checked before anything is loaded."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from env.actions import Choices, free_choices, tied_choices
from haq.cores import Cores
from haq.cost import Budget, parse_budget
from haq.search.reward import RewardKind
from haq.zoo.mobilenet_v2 import Padding
from quant.errors import BudgetError, PolicyError
from quant.observers import Method
from quant.policy import ALLOWED_BITS, ENGINE_BITS


@dataclass(frozen=True)
class SearchRequest:
    """A search as the user asked for it; None stands for the default."""

    model: str
    weights: Path | None
    input_size: int
    padding: Padding
    data: str
    calibration: str | None
    observer: Method
    budget: Budget | None
    bits: tuple[int, ...]
    episodes: int
    seed: int
    reward: RewardKind
    threads: int = 1
    cores: Cores = None

    @property
    def timing(self) -> dict[str, Any]:
        """How the board times, as arguments of `Board.measure` and `Board.profile`."""
        return {"threads": self.threads, "cores": self.cores}

    @property
    def is_deployable(self) -> bool:
        """Whether ncnn can run every choice."""
        return set(self.bits) <= set(ENGINE_BITS)

    def choices(self, names: tuple[str, ...]) -> Choices:
        """Widths of every layer: tied where ncnn runs them, else free with 8-bit ends."""
        make = tied_choices if self.is_deployable else free_choices
        return make(names, self.bits)

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the result."""
        weights = None if self.weights is None else str(self.weights)
        cores = list(self.cores) if isinstance(self.cores, tuple) else self.cores
        return {**asdict(self), "weights": weights, "bits": list(self.bits), "cores": cores}


def parse_bits(text: str) -> tuple[int, ...]:
    """`8,16,32` or `2-8`, ascending. Raises PolicyError."""
    span = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text.strip())
    words = text.split(",")
    if span:
        bits = list(range(int(span[1]), int(span[2]) + 1))
    elif all(word.strip().isdecimal() for word in words):
        bits = [int(word) for word in words]
    else:
        bits = []
    if len(set(bits)) < 2 or not set(bits) <= ALLOWED_BITS:
        raise PolicyError(
            f"bits '{text}' are not understood: write at least two of 2 to 8, 16 and 32, "
            "as in 8,16,32 or 2-8"
        )
    return tuple(sorted(set(bits)))


def check_budget(text: str | None, bits: tuple[int, ...]) -> Budget | None:
    """The parsed budget. Raises BudgetError where it cannot go with the bits."""
    budget = None if text is None else parse_budget(text)
    kind = "latency" if budget is None else budget.kind
    if kind == "latency" and not set(bits) <= set(ENGINE_BITS):
        raise BudgetError(
            "ncnn runs 8, 16 and 32 bits only, other bits have no latency on a board: give a "
            "budget such as --budget size=0.2x or --budget bops=0.05x"
        )
    return budget
