"""`haq cost`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    EnergyTableOption,
    InputOption,
    JsonOption,
    ModelOption,
    PaddingOption,
    TableOption,
    WeightsOption,
    padding_name,
)
from quant.errors import InputError

if TYPE_CHECKING:
    from haq.cost.relative import Relative
    from quant.graph import Graph
    from quant.policy import Policy


class Kind(str, Enum):
    """Costs that need no table of latencies."""

    size = "size"
    bops = "bops"
    energy = "energy"


def cost(
    policy: Annotated[
        str,
        typer.Option(
            help="policy.json, HAQ's list of [weight bits, activation bits], or 8, 16, 32, or wNaM."
        ),
    ],
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    table: TableOption = None,
    kind: Annotated[
        Kind | None,
        typer.Option(help="Without --table: bytes, bit operations, or mJ (an estimate)."),
    ] = None,
    energy_table: EnergyTableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a policy costs, and as a multiple of float, or of W8A8 by HAQ's table."""
    from haq.policies import read_policy
    from haq.prepare import load_graph

    check_options(table, kind, energy_table)
    graph = load_graph(model, weights, input_size, padding_name(padding))
    chosen = read_policy(policy, graph.layer_names)
    if table is not None:
        costs = table_costs(table, graph, chosen)
    else:
        costs = computed_costs(kind or Kind.size, graph, energy_table)
    found = {"cost": costs.cost(chosen), "ratio": costs.ratio(chosen)}
    if as_json:
        print(json.dumps(found))
    else:
        print(f"{rounded(found['cost'])} {costs.unit}: {found['ratio']:.4f} of {costs.reference}")


def rounded(cost: float) -> str:
    """Whole where large, else four digits."""
    return f"{cost:,.0f}" if cost >= 1000 else f"{cost:.4g}"


def check_options(table: Path | None, kind: Kind | None, energy_table: Path | None) -> None:
    """Raise InputError unless exactly one cost is asked for."""
    if (table is None) == (kind is None):
        raise InputError("name either a --table of latencies or a --kind of cost")
    if energy_table is not None and kind is not Kind.energy:
        raise InputError("--energy-table is for --kind energy")


def table_costs(path: Path, graph: Graph, policy: Policy) -> Relative:
    """Latency by a table. Raises InputError where it does not fit the network or the policy."""
    from env.actions import tied_choices
    from haq.cost import read_table

    table = read_table(path)
    table.check(graph.layer_names, graph.products)
    table.check_policy(policy)
    return table.relative(graph, tied_choices(graph.layer_names))


def computed_costs(kind: Kind, graph: Graph, energy_table: Path | None) -> Relative:
    """Size, bit operations or energy."""
    from env.actions import tied_choices
    from haq.cost import bops_cost, energy_cost, read_energy, size_cost
    from haq.cost.relative import relative

    names = graph.layer_names
    choices = tied_choices(names)
    if kind is Kind.energy:
        prices = read_energy(energy_table)
        return relative(energy_cost(graph, choices, prices), names, prices.reference)
    make = size_cost if kind is Kind.size else bops_cost
    return relative(make(graph, choices), names)
