"""What every searcher offers: it proposes policies and is told what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from haq.search.state import State
from quant.policy import Policy


@dataclass(frozen=True)
class Trial:
    """A policy and the reward that it earned; `score` holds whatever else was measured, by name.

    `is_own` is False for a trial of another search, such as that of another bound of a sweep.
    """

    policy: Policy
    reward: float
    score: Mapping[str, float] = field(default_factory=dict)
    is_own: bool = True


class Searcher(Protocol):
    """Proposes policies (`ask`) and learns from their rewards (`tell`).

    Everything that it proposes is among the choices and costs at most the bound, by the model as it
    is when asked. Searchers of equal problems that are told the same propose the same.
    """

    def ask(self, n: int) -> list[Policy]:
        """Up to n policies to try next: fewer where there are no more, none at the end.

        Raises BudgetError if the budget cannot be met.
        """

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials, in any number and order; they need not come from `ask`."""

    def state(self) -> State:
        """All that it has come to; what is asked and told later leaves it as it is.

        The problem is no part of it: neither the model, whatever corrected it, nor the harms.
        """

    def restore(self, state: State) -> None:
        """Go on as the searcher that gave the state would, to the bit, whatever came before.

        Both must be of the same agent and of equal problems, whose models need to be equal again by
        the next `ask` only. Raises StateError for the state of another agent, or of a problem that
        is seen to be another; this searcher is then of no further use.
        """
