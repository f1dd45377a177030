"""What foretells the latency of a policy on this machine: MACs, bit operations, a table?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from env.actions import Choices, tied_choices
from haq.board import Board
from haq.cost import bops_cost
from haq.cost.table import make_latency_cost
from haq.data import load_splits
from haq.local_board import local_agent
from haq.names import NetworkName, usual_data
from haq.prepare import load_network, make_subject, upload
from quant.policy import Policy

FORETELLERS = ("macs", "bops", "table")


@dataclass(frozen=True)
class Point:
    """A policy of a network, and what is said of it; latencies in milliseconds."""

    network: str
    macs: float
    bops: float
    table: float
    measured: float


def points_of(networks: Sequence[NetworkName], policies: int, seed: int = 0) -> Iterator[Point]:
    """Random policies of each network, `policies` in all or a few more."""
    each = -(-policies // len(networks))
    rng = np.random.default_rng(seed)
    with local_agent() as board:
        for name in networks:
            yield from of_network(name, each, board, rng)


def of_network(
    name: NetworkName, count: int, board: Board, rng: np.random.Generator
) -> Iterator[Point]:
    """Measured in one batch, after a profile of the layers."""
    data = usual_data(name)
    config, network = load_network(name, None, data=data)
    calibration = load_splits(data, None, config.input_size, config.channels).calibration
    upload(make_subject(config, network, calibration, "absmax"), board)
    graph = network.graph
    choices, profile = tied_choices(graph.layer_names), board.profile(graph.weighted_names)
    table, bops = make_latency_cost(graph, choices, profile), bops_cost(graph, choices)
    policies = [random_policy(choices, rng) for _ in range(count)]
    macs = float(sum(layer.macs for layer in graph.layers))
    for policy, found in zip(policies, board.measure(policies), strict=True):
        foretold = table.cost(policy) * profile.reference_ms
        yield Point(name, macs, bops.cost(policy), foretold, found.latency_ms)


def random_policy(choices: Choices, rng: np.random.Generator) -> Policy:
    """Any width for any layer."""
    return Policy(
        {
            name: options[int(rng.integers(len(options)))]
            for name in choices.names
            if (options := choices.alternatives(name))
        }
    )


def correlations(points: Sequence[Point]) -> dict[str, Any]:
    """Spearman's rank correlation with what was measured: over all, and within networks."""
    networks = list(dict.fromkeys(point.network for point in points))
    within = {name: rank([point for point in points if point.network == name]) for name in networks}
    # MACs are the same for every policy of a network: within one they say nothing.
    medians = {
        by: float(np.median([found[by] for found in within.values()])) for by in ("bops", "table")
    }
    return {"points": len(points), "networks": networks, "all": rank(points), "within": medians}


def rank(points: Sequence[Point]) -> Mapping[str, float]:
    """Of every foreteller."""
    measured = [point.measured for point in points]
    told = {by: [getattr(point, by) for point in points] for by in FORETELLERS}
    return {
        by: float(spearmanr(values, measured).statistic)
        for by, values in told.items()
        if len(set(values)) > 1
    }
