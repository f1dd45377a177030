from __future__ import annotations

import numpy as np
import pytest

from bench.evaluation.onnx_float import float_onnx, run_optimized
from bench.evaluation.speed import RATIOS, compare_ways, make_ways, ratio, time_ways
from haq.data import normalise
from haq.engine_evaluator import float_network
from quant.evaluate import Score
from tests.haq.subjects import cropped, small_subject


def test_every_way_has_a_time_and_a_ratio() -> None:
    found = compare_ways(small_subject(), cropped("test", 6), repetitions=2)
    assert (found["images"], found["repetitions"]) == (6, 2)
    assert set(found["ms_an_image"]) == set(found["to_onnxruntime"])
    assert all(ms > 0 for ms in found["ms_an_image"].values())
    assert len(found["ratios"]) == len(RATIOS)
    for of_two in found["ratios"].values():
        assert 0 < of_two["quartile_low"] <= of_two["ratio"] <= of_two["quartile_high"]


def test_what_is_scored_is_a_score() -> None:
    ways = make_ways(small_subject(), cropped("test", 6))
    for name, way in ways.items():
        if name.endswith("scored"):
            found = way()
            assert isinstance(found, list)
            assert [type(score) for score in found] == [Score]
            assert found[0].images == 6


def test_the_yardstick_is_the_float_network() -> None:
    subject, images = small_subject(), cropped("test", 6)
    found = run_optimized(float_onnx(subject), normalise(images.pixels))
    expected = float_network(subject.network).logits(images)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_each_repetition_runs_every_way_once_and_the_first_does_not_count() -> None:
    calls: list[str] = []
    ways = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = time_ways(ways, 4)
    assert {name: len(found) for name, found in times.items()} == dict.fromkeys("abc", 4)
    assert [sorted(calls[i : i + 3]) for i in range(0, 15, 3)] == [["a", "b", "c"]] * 5
    assert calls != ["a", "b", "c"] * 5


def test_ratios_are_taken_within_a_repetition() -> None:
    times = {"one": [2.0, 20.0, 3.0], "other": [1.0, 10.0, 1.0]}
    assert ratio(times, "one", "other")["ratio"] == pytest.approx(2.0)
