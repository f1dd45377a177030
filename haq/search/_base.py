"""What every searcher offers: it proposes policies and is told what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quant.policy import Policy


@dataclass(frozen=True)
class Trial:
    """A policy and the reward that it earned; `score` holds whatever else was measured, by name."""

    policy: Policy
    reward: float
    score: Mapping[str, float] = field(default_factory=dict)


class Searcher(Protocol):
    """Proposes policies (`ask`) and learns from their rewards (`tell`)."""

    def ask(self, n: int) -> list[Policy]:
        """The next n policies to try. Raises BudgetError if the budget cannot be met."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials, in any number and order; they need not come from `ask`."""
