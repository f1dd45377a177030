from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haq.store.tables import load_table, save_table
from quant.graph import Floats
from quant.quantized import InputLevels
from quant.recipe.products import LevelsEntry, ProductTable
from quant.recipe.table import InputEntry, LayerTable, WeightEntry
from tests.quant.recipe.test_table import table


@pytest.mark.parametrize("name", ["stem.0", "widen.0.0", "depthwise.0.0", "classifier.1"])
def test_a_table_comes_back(name: str, tmp_path: Path) -> None:
    made = table("mobile").tables[name]
    save_table(tmp_path / "x.safetensors", made)
    found = load_table(tmp_path / "x.safetensors")
    assert isinstance(found, LayerTable) and isinstance(made, LayerTable)
    check(made, found)


def test_a_table_of_a_product_comes_back(tmp_path: Path) -> None:
    levels = LevelsEntry(InputLevels(3.5, -7, 7), 0.25), LevelsEntry(InputLevels(9.0, 0, 15), 0.5)
    made = ProductTable({4: levels[1]}, {3: levels[0], 4: levels[1]})
    save_table(tmp_path / "x.safetensors", made)
    assert load_table(tmp_path / "x.safetensors") == made


def check(one: LayerTable, other: LayerTable) -> None:
    assert list(one.weights) == list(other.weights)
    assert list(one.inputs) == list(other.inputs)
    for bits, weights in one.weights.items():
        check_weights(weights, other.weights[bits])
    for bits, inputs in one.inputs.items():
        check_inputs(inputs, other.inputs[bits])
    check_weights(one.plain_weights, other.plain_weights)
    assert (one.plain_inputs is None) == (other.plain_inputs is None)
    check_optional(one.spread, other.spread)
    assert np.array_equal(one.mean, other.mean) and np.array_equal(one.inside, other.inside)


def check_weights(one: WeightEntry, other: WeightEntry) -> None:
    assert np.array_equal(one.integers, other.integers)
    assert np.array_equal(one.scale, other.scale)
    assert one.error == other.error


def check_inputs(one: InputEntry, other: InputEntry) -> None:
    assert (one.levels.scale, one.levels.low, one.levels.high) == (
        other.levels.scale, other.levels.low, other.levels.high
    )  # fmt: skip
    for ours, theirs in (
        (one.levels.spread, other.levels.spread),
        (one.levels.offset, other.levels.offset),
        (one.change, other.change),
    ):
        check_optional(ours, theirs)


def check_optional(one: Floats | None, other: Floats | None) -> None:
    assert (one is None) == (other is None)
    assert one is None or other is None or np.array_equal(one, other)


@pytest.mark.parametrize("data", [b"", b"no table", bytes(100)])
def test_what_is_no_table_is_nothing(data: bytes, tmp_path: Path) -> None:
    assert load_table(tmp_path / "missing") is None
    (tmp_path / "x").write_bytes(data)
    assert load_table(tmp_path / "x") is None


def test_half_a_table_is_nothing(tmp_path: Path) -> None:
    save_table(tmp_path / "x", table("mobile").tables["widen.0.0"])
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[: len(whole) // 2])
    assert load_table(tmp_path / "x") is None
