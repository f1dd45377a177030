"""The cost model of a search and the bound that it has to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np

from device_agent.measuring.blocks import BLOCK
from device_agent.measuring.prediction import random_bits
from device_agent.measuring.statistics import interval_reach
from env.actions import Choices
from env.budget import CostModel
from haq.board import AnyBoard, Latency, Profile, profile_to_json, read_profile
from haq.cost import (
    AdditiveCost,
    Budget,
    ComposedCost,
    LatencyCost,
    bops_cost,
    size_cost,
)
from haq.cost.budget import Kind
from haq.cost.composed import Part
from haq.cost.relative import Reference, Relative, relative
from haq.progress import Progress, chunks
from haq.search.memory import Meter
from haq.store.entries import Entries
from quant.errors import BudgetError
from quant.graph import Graph
from quant.policy import Bits, Policy, uniform

MakeCost = Callable[[Graph, Choices], AdditiveCost]
TargetKind = Kind | Literal["table", "several"]
"""`latency` is measured, `table` is a latency that a file says, `several` is of several budgets."""

FLOAT = 32
RANDOM_PROBES = 40
LEAST_ROUNDS, LEAST_DRAWS = 4, 7
PROFILE = "profile"
PROFILE_CHUNK = 6
BELOW_UNIFORM8 = 0.98
NOUNS: Mapping[TargetKind, str] = {
    "size": "a size",
    "bops": "a bops",
    "energy": "an energy",
    "table": "a latency by the table",
}


@dataclass(frozen=True)
class Target:
    """Cost model and bound in its unit; `float_cost` is in it the cost of the `reference`.

    That is the float network's, unless `reference` says otherwise. `latency` is the same model
    where it is one of measured latency, which measurements correct. Where there are several budgets
    the model adds up how far each is exceeded, the bound is 0, and `parts` are the single targets.
    """

    kind: TargetKind
    model: CostModel
    bound: float
    float_cost: float
    latency: LatencyCost | None = None
    reference: Reference = "float"
    parts: tuple[Target, ...] = ()

    @property
    def ratio(self) -> float:
        """The bound as a multiple of the reference's cost."""
        return self.bound / self.float_cost

    @property
    def budgets(self) -> tuple[Target, ...]:
        """The target of each budget."""
        return self.parts or (self,)

    def ratios(self, policy: Policy) -> dict[str, float]:
        """Of several budgets, the multiples of their references by kind, as the models say."""
        return {one.kind: one.model.cost(policy) / one.float_cost for one in self.parts}


def joined(targets: Sequence[Target], choices: Choices) -> Target:
    """One target of several, each of another kind; a single one stays as it is.

    Raises BudgetError where no policy is found that keeps all bounds.
    """
    if len(targets) == 1:
        return targets[0]
    parts = tuple(Part(one.kind, one.model, one.bound) for one in targets)
    model = ComposedCost(choices, parts)
    closest = model.least()
    missed = {part.name for part in model.exceeded(closest)}
    if missed:
        found = [
            f"{one.kind} {one.model.cost(closest) / one.float_cost:.3f}x of {one.ratio:.3f}x"
            for one in targets
            if one.kind in missed
        ]
        raise BudgetError(
            f"the budgets cannot be met together: the closest policy found has {', '.join(found)}"
        )
    latency = next((one.latency for one in targets if one.latency), None)
    return Target("several", model, 0.0, 1.0, latency, parts=tuple(targets))


def exact_target(kind: TargetKind, budget: Budget, costs: Relative) -> Target:
    """Target of costs that are known without measuring. Raises BudgetError if it cannot be met."""
    model, reference_cost = costs.model, costs.reference_cost
    bound = budget.bound(reference_cost) if budget.relative else budget.amount / costs.scale
    least = model.cost(model.least())
    if least > bound:
        raise BudgetError(
            f"{NOUNS[kind]} of {bound * costs.scale:.4g} {costs.unit} "
            f"({bound / reference_cost:.3f}x) cannot be met: the least reachable is "
            f"{least * costs.scale:.4g} ({least / reference_cost:.3f}x)"
        )
    return Target(kind, model, bound, reference_cost, reference=costs.reference)


def additive_target(
    budget: Budget, graph: Graph, choices: Choices, size: MakeCost = size_cost
) -> Target:
    """Target of a size or bit-operation budget. Raises BudgetError if it cannot be met.

    `size` counts the bytes of the weights.
    """
    make = size if budget.kind == "size" else bops_cost
    return exact_target(budget.kind, budget, relative(make(graph, choices), choices.names))


@dataclass(frozen=True)
class MeasuredLatency:
    """A model of latency that measurements have corrected; float takes `reference_ms`."""

    model: LatencyCost
    reference_ms: float


def correct(
    model: LatencyCost, meter: Meter, seed: int, together: int | None = None
) -> MeasuredLatency:
    """Correct a model by uniform and random policies, and by those that it finds the fastest.

    So many as `together` says are measured in one batch, None for all.
    """
    probes = measure_probes(model, meter, seed, together)
    find_least(model, meter, np.random.default_rng(seed))
    return MeasuredLatency(model, median(latency.reference_ms for latency in probes.values()))


def latency_target(budget: Budget | None, measured: MeasuredLatency) -> Target:
    """Target of a latency budget.

    Without a budget the bound lies halfway between the float network and the least reachable
    latency, but below uniform 8 bits where that can be undercut: a result that is slower than the
    usual all-int8 network would be of no use. Raises BudgetError if a budget cannot be met.
    """
    model, reference_ms = measured.model, measured.reference_ms
    least = model.cost(model.least())
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


def measure_probes(
    model: LatencyCost, meter: Meter, seed: int, together: int | None = None
) -> dict[str, Latency]:
    """Measure uniform and random policies and correct the model by them; latencies by key."""
    rng = np.random.default_rng(seed)
    names = model.choices.names
    policies = [uniform(names, bits, bits) for bits in (8, 16, FLOAT)]
    policies += [random_policy(model.choices, rng) for _ in range(RANDOM_PROBES)]
    found: dict[str, Latency] = {}
    for some in chunks(policies, together or len(policies)):
        found |= observe(model, meter, some)
    return found


def random_policy(choices: Choices, rng: np.random.Generator) -> Policy:
    """`random_bits` of tied choices, whose layers all have the same widths."""
    bits = random_bits(choices.names, choices.weight[choices.names[0]], rng)
    return Policy({name: Bits(b, b) for name, b in bits.items()})


def find_least(model: LatencyCost, meter: Meter, rng: np.random.Generator) -> Policy:
    """The least policy of the model, which a few rounds of measurements correct.

    Each round measures what is the least by the model, and by others that are as likely.
    """
    known: set[str] = set()
    for _ in range(LEAST_ROUNDS):
        likely = [model, *(model.draw(rng) for _ in range(LEAST_DRAWS))]
        new = {p.key(): p for p in (one.least() for one in likely) if p.key() not in known}
        known |= observe(model, meter, list(new.values())).keys()
    return model.least()


def observe(model: LatencyCost, meter: Meter, policies: Sequence[Policy]) -> dict[str, Latency]:
    """Measure policies in one batch and correct the model by them; latencies by key."""
    latencies = meter.measure(list(policies), "search")
    learn(model, policies, latencies)
    return {p.key(): latency for p, latency in zip(policies, latencies, strict=True)}


def learn(model: LatencyCost, policies: Sequence[Policy], latencies: Sequence[Latency]) -> None:
    """Correct a model by what was measured."""
    for policy, latency in zip(policies, latencies, strict=True):
        model.observe(policy, latency.ratio, deviation(latency))


def deviation(latency: Latency) -> float:
    """Standard deviation of a measured ratio, from its interval and the blocks behind that."""
    blocks = max(2, latency.rounds // BLOCK)
    return (latency.ratio_high - latency.ratio_low) / (2 * interval_reach(blocks))


def load_or_measure_profile(
    board: AnyBoard, names: Sequence[str], entries: Entries, progress: Progress, **timing: Any
) -> Profile:
    """The board's latency table: as the run has it, else measured and kept."""
    known = entries.get(PROFILE, [PROFILE])
    if known:
        return read_profile(known[PROFILE])
    parts = []
    progress.start("latency of each layer", len(names))
    for some in chunks(names, PROFILE_CHUNK):
        parts.append(board.profile(some, **timing))
        for _ in some:
            progress.advance()
    profile = merge_profiles(parts)
    entries.put(PROFILE, {PROFILE: profile_to_json(profile)})
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
