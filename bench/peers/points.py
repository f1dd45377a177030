"""Policies of all tools as points: one evaluator, one board, one formula for sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.mapping import Candidate, candidates
from bench.peers.searches import Searched
from bench.peers.tools import SettingName
from bench.search.settings import packaged
from env.actions import free_choices
from haq import export
from haq.board import Latency
from haq.cost import size_cost
from haq.data import Images, load_splits
from haq.evaluators import PolicyEvaluator, make_evaluator
from haq.local_board import local_agent
from haq.prepare import quantizer_of, upload
from haq.progress import Silent
from haq.quantizers import make_quantizer
from quant.evaluate import Score, Seen, score_of
from quant.ncnn.runtime import capabilities
from quant.policy import SIMULATED_BITS, Policy, uniform

TIMING: Mapping[str, Any] = {
    **{"rel_ci": 0.005, "min_rounds": 100, "max_rounds": 1000, "max_seconds": 400.0},
    **{"together": True, "fresh": True},
}


@dataclass(frozen=True)
class Point:
    """A candidate with its scores on the test images.

    `cost` is its latency as a ratio to float with `low` to `high` as 95 % interval, or its size in
    bytes, which is exact; `top1_loss` is a share of the images; `kls` the KL of every image.
    """

    candidate: Candidate
    score: Score
    top1_loss: float
    cost: float
    low: float
    high: float
    size_bytes: int
    kls: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """The numbers, and the bits of every layer."""
        one = self.candidate
        names = {"tool": one.tool, "target": one.target, "wide": one.wide}
        costs = {"cost": self.cost, "low": self.low, "high": self.high}
        losses = {"top1_loss": self.top1_loss, "size_bytes": self.size_bytes}
        return {**names, **self.score.to_json(), **losses, **costs, "bits": bits_text(one.policy)}


def bits_text(policy: Policy) -> str:
    """Weight and activation bits layer by layer, as in `8/8 4/8`."""
    return " ".join(f"{bits.weight}/{bits.activation}" for bits in policy.layers.values())


def make_points(searched: Sequence[Searched], setting: SettingName) -> list[Point]:
    """All points of a setting, uniform 8 bits and float among them."""
    chosen = [*fixed(), *found(searched, setting)]
    return on_board(chosen) if setting == "board" else by_size(chosen)


def fixed() -> Iterator[Candidate]:
    """Float, and what ncnn's own tools make: 8 bits everywhere."""
    names = packaged().network.graph.layer_names
    yield Candidate("float", None, uniform(names, 32, 32))
    yield Candidate("ncnn, all int8", None, uniform(names, 8, 8))


def found(searched: Sequence[Searched], setting: SettingName) -> Iterator[Candidate]:
    """What the tools found in a setting."""
    names = packaged().network.graph.layer_names
    for one in searched:
        if one.setting == setting and not one.error:
            yield from candidates(one.tool, setting, one.answer, names)


def on_board(chosen: Sequence[Candidate]) -> list[Point]:
    """Scored by ncnn itself, and timed in one session on this machine's agent."""
    subject, here = packaged(), capabilities()
    quantizer = quantizer_of(subject, "ncnn")
    evaluator = make_evaluator(subject, test_images(), here, "ncnn", quantizer=quantizer)
    latencies = measure([one.policy for one in chosen])

    def cost(policy: Policy) -> tuple[float, float, float]:
        latency = latencies[policy]
        return latency.ratio, latency.ratio_low, latency.ratio_high

    return score(chosen, evaluator, cost, lambda p: export.weight_bytes(subject, p, here))


def measure(policies: Sequence[Policy]) -> dict[Policy, Latency]:
    """Latencies of distinct policies, all interleaved."""
    distinct = list(dict.fromkeys(policies))
    with local_agent() as board:
        upload(packaged(), board)
        return dict(zip(distinct, board.measure(distinct, **TIMING), strict=True))


def by_size(chosen: Sequence[Candidate]) -> list[Point]:
    """Fitted in sequence and simulated, with the formula for the bytes of the weights."""
    subject, graph = packaged(), packaged().network.graph
    calibration = load_splits("sample", None, 32).calibration
    quantizer = make_quantizer("best", subject, calibration, "simulated", Silent())
    evaluator = make_evaluator(
        subject, test_images(), capabilities(), "simulated", quantizer=quantizer
    )
    model = size_cost(graph, free_choices(graph.layer_names, SIMULATED_BITS))

    def cost(policy: Policy) -> tuple[float, float, float]:
        size = model.cost(policy)
        return size, size, size

    return score(chosen, evaluator, cost, lambda policy: int(model.cost(policy)))


def score(
    chosen: Sequence[Candidate],
    evaluator: PolicyEvaluator,
    cost: Callable[[Policy], tuple[float, float, float]],
    size: Callable[[Policy], int],
) -> list[Point]:
    """Points by an evaluator on the test images; equal policies are evaluated once."""
    rows = np.arange(len(test_images()))

    @cache
    def see(policy: Policy) -> Seen:
        return evaluator.see(policy, rows)

    points = []
    for one in chosen:
        scored = score_of(see(one.policy))
        lost = evaluator.float_top1 - scored.top1
        kls = see(one.policy).kl
        points.append(Point(one, scored, lost, *cost(one.policy), size(one.policy), kls))
    return points


@cache
def test_images() -> Images:
    """Images that no search has seen."""
    return load_splits("sample", None, 32).test
