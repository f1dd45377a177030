"""Small problems for every searcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from env.actions import Choices, free_choices, tied_choices
from env.budget import CostModel, Harm
from haq.search._base import Searcher, Trial
from haq.search.problem import Limit, Problem
from quant.policy import Bits, Policy
from tests.env.toys import CoupledModel, bit_costs, quantization_noise, toy_graph

GRAPH = toy_graph(6)
NAMES = GRAPH.layer_names
SIZES = (1, 4, 2, 8, 1, 3)
SENSITIVITY = (1, 30, 1, 30, 1, 3)
KINDS = ("free", "tied", "coupled")


def problem(kind: str, share: float = 0.6, seed: int = 0, layers: int = 6) -> Problem:
    """The first layers of six within a share of what the widest bits cost.

    Those of "coupled" pay for casts.
    """
    graph, sizes = toy_graph(layers), SIZES[:layers]
    names = graph.layer_names
    choices = tied_choices(names) if kind != "free" else free_choices(names)
    model: CostModel = bit_costs(choices, sizes)
    pairs: Sequence[tuple[str, str]] = ()
    if kind == "coupled":
        model, pairs = CoupledModel(bit_costs(choices, sizes), cast=1.0), graph.transitions
    widest = Policy({name: choices.alternatives(name)[-1] for name in names})
    bound = share * model.cost(widest)
    harm = quantization_noise(choices, SENSITIVITY[:layers])
    return Problem(graph, choices, model, bound, harm, (Limit(model, bound, pairs),), seed)


@dataclass
class CorrectedModel:
    """The model that it has now."""

    now: CostModel
    unit: str = "ms"

    def cost(self, policy: Policy) -> float:
        return self.now.cost(policy)

    def least(self) -> Policy:
        return self.now.least()

    def deltas(self, policy: Policy, layer: str, alternatives: Sequence[Bits]) -> Sequence[float]:
        return self.now.deltas(policy, layer, alternatives)


def total(policy: Policy, harm: Harm) -> float:
    """Harms added up."""
    return sum(harm[name][bits] for name, bits in policy.layers.items())


def search(searcher: Searcher, given: Problem, episodes: int, batch: int = 4) -> list[Trial]:
    """Trials whose KL is the sum of the harms; rewards of the order of 1."""
    trials: list[Trial] = []
    scale = total(given.model.least(), given.harm)
    while len(trials) < episodes:
        asked = searcher.ask(min(batch, episodes - len(trials)))
        if not asked:
            break
        kls = [total(policy, given.harm) for policy in asked]
        new = [Trial(p, -kl / scale, {"kl": kl}) for p, kl in zip(asked, kls, strict=True)]
        searcher.tell(new)
        trials += new
    return trials


def all_choices(choices: Choices) -> int:
    """How many policies there are."""
    count = 1
    for name in choices.names:
        count *= len(choices.alternatives(name))
    return count
