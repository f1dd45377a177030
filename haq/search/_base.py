"""What every searcher offers: it proposes policies and is told what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from env.actions import Choices
from env.budget import CostModel, Harm
from quant.graph import Graph
from quant.policy import Policy


@dataclass(frozen=True)
class Trial:
    """A policy and the reward that it earned; `score` holds whatever else was measured, by name."""

    policy: Policy
    reward: float
    score: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """A policy may cost at most `bound`, in the unit of the model.

    `pairs` are the neighbours whose bits cost something together, beyond what each costs.
    """

    model: CostModel
    bound: float
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Problem:
    """What there is to choose, what it may cost, and the KL of every layer alone (`harm`).

    `model` and `bound` stand for all `limits` together. A model may be corrected while the search
    goes on.
    """

    graph: Graph
    choices: Choices
    model: CostModel
    bound: float
    harm: Harm
    limits: Sequence[Limit]
    seed: int = 0


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
