from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.report.plots import bits_plot, pareto_front, pareto_plot, reward_plot, running_mean

SVG = "{http://www.w3.org/2000/svg}"
points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


def trial(episode: int, kl: float = 0.01, ratio: float | None = 0.9) -> dict[str, Any]:
    return {"episode": episode, "kl": kl, "latency_ratio": ratio, "cost": 90.0, "reward": -kl}


def row(ratio: float | None) -> dict[str, Any]:
    return {"latency_ratio": ratio, "kl": 0.0}


def summary(ratio: float | None) -> dict[str, Any]:
    param = None if ratio is None else "net.ncnn.param"
    uniforms = {"8": row(1.1), "32": row(1.0)}
    return {"best": row(ratio), "uniform": uniforms, "exports": {"ncnn_param": param}}


def texts(svg: str) -> list[str]:
    """Words of a plot, which must be well-formed XML."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def bars(svg: str, colour: str) -> int:
    return len(re.findall(rf"fill: {colour}", svg))


@given(points)
def test_the_front_holds_what_nothing_beats(some: list[tuple[int, int]]) -> None:
    front = pareto_front(*zip(*some, strict=True))
    beaten = {p for p in some if any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in some)}
    assert set(front) == set(some) - beaten
    assert front == sorted(front)


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_the_running_mean_looks_back(values: list[float], span: int) -> None:
    found = running_mean(np.array(values), span)
    for index, mean in enumerate(found):
        window = values[max(0, index - span + 1) : index + 1]
        assert mean == pytest.approx(sum(window) / len(window), abs=1e-9)


def test_measured_trials_are_drawn_against_latency() -> None:
    svg = pareto_plot([trial(1), trial(2, 0.0, 0.8)], summary(0.8), bound=0.85, float_cost=1.0)
    words = texts(svg)
    assert "latency, ratio to float" in words
    assert {"found", "uniform 8", "uniform 32", "trials", "front", "budget"} <= set(words)


@pytest.mark.parametrize("best", [None, 0.8])
def test_unmeasured_trials_are_drawn_against_cost(best: float | None) -> None:
    trials = [trial(i, ratio=None) for i in (1, 2)]
    words = texts(pareto_plot(trials, summary(best), bound=80.0, float_cost=100.0))
    assert not {"found", "uniform 8", "latency, ratio to float"} & set(words)
    assert ("cost, ratio to float (simulated)" in words) == (best is None)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_rewards_of_every_episode(count: int) -> None:
    words = texts(reward_plot([trial(i + 1, kl=0.1 / (i + 1)) for i in range(count)]))
    assert {"episode", "reward", "best so far", "mean of the last 10"} <= set(words)


def test_equal_rewards_are_no_empty_axis() -> None:
    assert "reward" in texts(reward_plot([trial(i) for i in range(3)]))


def test_bits_are_bars_with_the_names_below() -> None:
    policy = {f"layer{i}": {"weight": b, "activation": b} for i, b in enumerate((8, 16, 32, 8))}
    svg = bits_plot(policy)
    words = texts(svg)
    assert {f"layer{i}" for i in range(4)} <= set(words)
    assert {"8", "16", "32", "bits"} <= set(words)
    assert [bars(svg, colour) for colour in ("#2563eb", "#14b8a6", "#cbd5e1")] == [2, 1, 1]


def test_activations_point_down_where_they_differ() -> None:
    words = texts(
        bits_plot({"a": {"weight": 4, "activation": 8}, "b": {"weight": 2, "activation": 6}})
    )
    assert "activations   |   weights" in words
    assert {"2", "4", "6", "8"} <= set(words)


def test_weights_stand_alone_above_float_activations() -> None:
    svg = bits_plot({"a": {"weight": 4, "activation": 32}, "b": {"weight": 2, "activation": 32}})
    words = texts(svg)
    assert "bits of weights" in words
    assert {"2", "4"} <= set(words)
    assert "32" not in words


def test_equal_input_gives_equal_text() -> None:
    policy = {"a": {"weight": 8, "activation": 8}}
    assert bits_plot(policy) == bits_plot(policy)


def test_names_cannot_leave_the_picture() -> None:
    svg = bits_plot({"</svg><script>alert(1)</script>": {"weight": 8, "activation": 8}})
    assert "<script" not in svg
    assert "</svg><script>alert(1)</script>" in texts(svg)
