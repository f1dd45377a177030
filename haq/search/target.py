"""The cost model of a search and the bound that it has to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from device_agent.measuring.blocks import BLOCK
from device_agent.measuring.prediction import random_bits
from device_agent.measuring.statistics import interval_reach
from env.actions import Choices
from env.budget import CostModel
from haq.board import AnyBoard, Latency, Profile, profile_to_json, read_profile
from haq.cost import AdditiveCost, Budget, LatencyCost, bops_cost, size_cost
from haq.cost.budget import Kind
from haq.cost.latency import make_prior
from haq.progress import Progress, chunks
from haq.search.memory import Meter
from haq.store.run_folder import RunFolder, read_json, write_json
from quant.errors import BudgetError
from quant.graph import Graph
from quant.policy import Bits, Policy, uniform

MakeCost = Callable[[Graph, Choices], AdditiveCost]

FLOAT = 32
RANDOM_PROBES = 12
LEAST_PROBES = 3
PROFILE_CHUNK = 6
BELOW_UNIFORM8 = 0.98


@dataclass(frozen=True)
class Target:
    """Cost model and bound in its unit; `float_cost` is the float network's cost in it.

    `latency` is the same model where it is one of latency, which measurements correct.
    """

    kind: Kind
    model: CostModel
    bound: float
    float_cost: float
    latency: LatencyCost | None = None

    @property
    def ratio(self) -> float:
        """The bound as a multiple of the float network's cost."""
        return self.bound / self.float_cost


def additive_target(
    budget: Budget, graph: Graph, choices: Choices, size: MakeCost = size_cost
) -> Target:
    """Target of a size or bit-operation budget. Raises BudgetError if it cannot be met.

    `size` counts the bytes of the weights.
    """
    make = size if budget.kind == "size" else bops_cost
    model = make(graph, choices)
    float_cost = model.cost(uniform(choices.names, FLOAT, FLOAT))
    bound = budget.bound(float_cost)
    least = model.cost(model.least())
    if least > bound:
        raise BudgetError(
            f"a {budget.kind} of {bound:.4g} {model.unit} ({bound / float_cost:.3f}x) cannot be "
            f"met: the least reachable is {least:.4g} ({least / float_cost:.3f}x)"
        )
    return Target(budget.kind, model, bound, float_cost)


def latency_target(budget: Budget | None, model: LatencyCost, meter: Meter, seed: int) -> Target:
    """Target of a latency budget, after the model was corrected on some measured policies.

    Without a budget the bound lies halfway between the float network and the least reachable
    latency, but below uniform 8 bits where that can be undercut: a result that is slower than the
    usual all-int8 network would be of no use. Raises BudgetError if a budget cannot be met.
    """
    probes = measure_probes(model, meter, seed)
    least_policy = find_least(model, meter)
    least = model.cost(least_policy)
    reference_ms = median(latency.reference_ms for latency in probes.values())
    if budget is None:
        uniform8 = model.cost(uniform(model.choices.names, 8, 8))
        return Target("latency", model, default_bound(least, uniform8), 1.0, model)
    bound = budget.amount if budget.relative else budget.amount / reference_ms
    if least > bound:
        raise BudgetError(
            f"a latency of {bound:.3f}x ({bound * reference_ms:.3g} ms) cannot be met on this "
            f"board: the least reachable is about {least:.3f}x ({least * reference_ms:.3g} ms)"
        )
    return Target("latency", model, bound, 1.0, model)


def default_bound(least: float, uniform8: float) -> float:
    """Halfway from float (1) to the least ratio, or a little below uniform 8 if that is less."""
    below = BELOW_UNIFORM8 * uniform8
    halfway = (1.0 + least) / 2
    return min(halfway, below) if below > least else halfway


def measure_probes(model: LatencyCost, meter: Meter, seed: int) -> dict[str, Latency]:
    """Measure uniform and random policies and correct the model by them; latencies by key."""
    rng = np.random.default_rng(seed)
    names = model.choices.names
    policies = [uniform(names, bits, bits) for bits in (8, 16, FLOAT)]
    policies += [random_policy(model.choices, rng) for _ in range(RANDOM_PROBES)]
    return observe(model, meter, policies)


def random_policy(choices: Choices, rng: np.random.Generator) -> Policy:
    """`random_bits` of tied choices, whose layers all have the same widths."""
    bits = random_bits(choices.names, choices.weight[choices.names[0]], rng)
    return Policy({name: Bits(b, b) for name, b in bits.items()})


def find_least(model: LatencyCost, meter: Meter) -> Policy:
    """The least policy of the model, measured and corrected a few times over."""
    for _ in range(LEAST_PROBES):
        observe(model, meter, [model.least()])
    return model.least()


def observe(model: LatencyCost, meter: Meter, policies: Sequence[Policy]) -> dict[str, Latency]:
    """Measure policies in one batch and correct the model by them; latencies by key."""
    latencies = meter.measure(list(policies), "search")
    for policy, latency in zip(policies, latencies, strict=True):
        model.observe(policy, latency.ratio, deviation(latency))
    return {p.key(): latency for p, latency in zip(policies, latencies, strict=True)}


def deviation(latency: Latency) -> float:
    """Standard deviation of a measured ratio, from its interval and the blocks behind that."""
    blocks = max(2, latency.rounds // BLOCK)
    return (latency.ratio_high - latency.ratio_low) / (2 * interval_reach(blocks))


def load_or_measure_profile(
    board: AnyBoard, names: Sequence[str], folder: RunFolder, progress: Progress, **timing: Any
) -> Profile:
    """The board's latency table: from the run folder if it is there, else measured and kept."""
    if folder.profile.is_file():
        return read_profile(read_json(folder.profile))
    parts = []
    progress.start("latency of each layer", len(names))
    for some in chunks(names, PROFILE_CHUNK):
        parts.append(board.profile(some, **timing))
        for _ in some:
            progress.advance()
    profile = merge_profiles(parts)
    write_json(folder.profile, profile_to_json(profile))
    return profile


def merge_profiles(parts: Sequence[Profile]) -> Profile:
    """One table from parts; each part's times are put in proportion to its own reference."""
    reference_ms = median(part.reference_ms for part in parts)
    layers: dict[str, dict[int, float]] = {}
    pairs: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
    for part in parts:
        factor = reference_ms / part.reference_ms
        for name, times in part.layers.items():
            layers[name] = {bits: ms * factor for bits, ms in times.items()}
        for pair, table in part.pairs.items():
            pairs[pair] = {bits: ms * factor for bits, ms in table.items()}
    return Profile(layers, pairs, reference_ms, median(part.overhead_ms for part in parts))


def make_latency_cost(choices: Choices, profile: Profile) -> LatencyCost:
    """Cost model of a profiled board."""
    return LatencyCost(choices, make_prior(profile.layers, profile.pairs, profile.reference_ms))
