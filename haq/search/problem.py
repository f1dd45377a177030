"""What a searcher is given to solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from env.actions import Choices
from env.budget import CostModel, Harm
from haq.cost import LatencyCost
from haq.search.target import Target
from quant.graph import Graph


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


def make_problem(graph: Graph, choices: Choices, target: Target, harm: Harm, seed: int) -> Problem:
    """The problem of one target or of several together."""
    limits = [Limit(one.model, one.bound, pairs_of(one.model)) for one in target.budgets]
    return Problem(graph, choices, target.model, target.bound, harm, limits, seed)


def pairs_of(model: CostModel) -> Sequence[tuple[str, str]]:
    """Neighbours whose bits cost something together: in a network that was measured alone."""
    return model.pairs if isinstance(model, LatencyCost) else ()
