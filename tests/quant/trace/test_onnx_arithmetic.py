from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.quant.trace.onnx_models import check, model, node, ops_of, random


def test_two_values_are_subtracted() -> None:
    check(model([node("Relu", ["x"], "h"), node("Sub", ["h", "x"])]))


def test_quotients_powers_and_norms(tmp_path: Path) -> None:
    steps = [
        node("Sigmoid", ["x"], "s"),
        node("Pow", ["s", "p"], "q"),
        node("Reciprocal", ["q"], "r"),
        node("Sqrt", ["r"], "t"),
        node("ReduceL2", ["x", "axes"], "n"),
        node("Div", ["t", "n"], "d"),
        node("Div", ["two", "d"], "e"),
        node("Neg", ["e"]),
    ]
    made = model(steps, constants={"p": np.float32(2.5), "axes": [1], "two": np.float32(2)})
    check(made)
    ops = ["sigmoid", "power", "reciprocal", "sqrt", "channel_norm", "div", "reciprocal", "scale"]
    assert ops_of(made, tmp_path) == ops


def test_arithmetic_with_constants_becomes_part_of_the_layer(tmp_path: Path) -> None:
    constants = {
        "c.weight": random(5, 3, 1, 1),
        "by_channel": random(1, 5, 1, 1),
        "bias": random(5, 1, 1),
        "two": np.float32(2),
    }
    made = model(
        [
            node("Conv", ["x", "c.weight"], "c"),
            node("Mul", ["by_channel", "c"], "m"),
            node("Add", ["m", "bias"], "a"),
            node("Sub", ["two", "a"], "s"),
            node("Div", ["s", "two"]),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["conv"]


def test_an_images_normalisation_is_a_scale(tmp_path: Path) -> None:
    constants = {"mean": random(1, 3, 1, 1), "std": 1 + random(3, 1, 1) ** 2}
    made = model([node("Sub", ["x", "mean"], "s"), node("Div", ["s", "std"])], constants=constants)
    check(made)
    assert ops_of(made, tmp_path) == ["scale"]


def test_a_value_that_waits_is_computed_once(tmp_path: Path) -> None:
    constants = {"shift": random(3, 1, 1)}
    made = model(
        [
            node("Add", ["x", "shift"], "s"),
            node("Relu", ["s"], "a"),
            node("Sigmoid", ["s"], "b"),
            node("Add", ["a", "b"]),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["scale", "relu", "sigmoid", "add"]
