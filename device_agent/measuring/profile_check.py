"""How well a table of isolated layers predicts whole networks: measured, not assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from device_agent.measuring.blocks import Stopping
from device_agent.measuring.candidates import Workshop
from device_agent.measuring.measure import build, time_candidates
from device_agent.measuring.prediction import (
    effects,
    mean_percentage_error,
    predict,
    random_bits,
    rank_correlation,
    read_table,
)
from device_agent.measuring.room import SHARE, groups, loaded_bytes, room_bytes
from device_agent.measuring.timing import Timing
from device_agent.models.networks import FloatNetwork

STOPPING = Stopping(rel_ci=0.02, min_rounds=20, max_rounds=40, max_seconds=300.0)


def check_table(
    network: FloatNetwork,
    table: Mapping[str, Any],
    bits: Sequence[int],
    checks: int,
    workshop: Workshop,
    timing: Timing,
) -> dict[str, Any]:
    """`schema.ProfileCheck`: predicted and measured ratios of `checks` random policies."""
    rng = default_rng([timing.seed, 4])
    policies = [random_bits(table["layers"], bits, rng) for _ in range(checks)]
    terms = effects(*read_table(table), table["reference_ms"])
    predicted = np.array([predict(terms, policy) for policy in policies])
    measured = np.array(measured_ratios(network, policies, workshop, timing, rng))
    return {
        "predicted": predicted.tolist(),
        "measured": measured.tolist(),
        "mape": mean_percentage_error(predicted, measured),
        "spearman": rank_correlation(predicted, measured),
    }


def measured_ratios(
    network: FloatNetwork,
    policies: Sequence[Mapping[str, int]],
    workshop: Workshop,
    timing: Timing,
    rng: Generator,
) -> list[float]:
    """Ratios of policies to the float network, as many at once as there is room for."""
    sizes = [loaded_bytes(network.layers)] * len(policies)
    found: list[float] = []
    for group in groups(sizes, SHARE * room_bytes()):
        candidates = build(network, [policies[index] for index in group], workshop)
        timed, _ = time_candidates(candidates, network.input_shape, STOPPING, timing)
        found += [summary.median for summary in timed.summaries(rng)]
    return found
