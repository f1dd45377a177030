from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import free_choices
from haq.cost import energy_cost, read_energy
from haq.cost.energy import DEFAULT_TABLE, layer_energy
from quant.errors import InputError, PolicyError
from quant.graph import Layer
from quant.policy import SIMULATED_BITS, Bits, Policy, uniform
from tests.env.toys import toy_graph
from tests.haq.cost.contract import check_cost_model, policies

GRAPH = toy_graph(6)
CHOICES = free_choices(GRAPH.layer_names, (*SIMULATED_BITS, 16, 32))
POINTWISE = Layer("1x1", "conv", 8, 16, in_size=(4, 6), out_size=(4, 6))


def write(path: Path, table: Any) -> Path:
    path.write_text(json.dumps(table))
    return path


@settings(max_examples=20)
@given(st.lists(policies(CHOICES), min_size=1, max_size=3))
def test_contract(some: list[Policy]) -> None:
    check_cost_model(energy_cost(GRAPH, CHOICES, read_energy()), CHOICES, some)


def test_energy_by_hand(tmp_path: Path) -> None:
    table = read_energy(write(tmp_path / "t.json", {"mac_pj": {"8x8": 0.5}, "byte_pj": 100}))
    macs, weights, inputs = 8 * 16 * 24, 8 * 16, 8 * 24
    expected_pj = 0.5 * macs + 100 * (weights + inputs)
    assert layer_energy(POINTWISE, Bits(8, 8), table) == pytest.approx(expected_pj / 1e9)
    narrow_pj = 0.5 * macs + 100 * (weights / 2 + inputs * 6 / 8)
    assert layer_energy(POINTWISE, Bits(4, 6), table) == pytest.approx(narrow_pj / 1e9)


def test_the_cheapest_unit_that_holds_both(tmp_path: Path) -> None:
    macs = {"8x8": 0.3, "4x8": 0.2, "2x2": 0.1, "16x16": 0.25}
    table = read_energy(write(tmp_path / "t.json", {"mac_pj": macs, "byte_pj": 1}))
    assert table.mac(Bits(2, 2)) == 0.1
    assert table.mac(Bits(3, 5)) == 0.2
    assert table.mac(Bits(5, 3)) == table.mac(Bits(8, 8)) == 0.25
    with pytest.raises(PolicyError, match="nothing as wide as W8A32"):
        table.mac(Bits(8, 32))


def test_the_reference_is_float_where_the_table_has_it(tmp_path: Path) -> None:
    assert read_energy().reference == "float"
    integers = {"mac_pj": {"8x8": 0.3}, "byte_pj": 1}
    assert read_energy(write(tmp_path / "t.json", integers)).reference == "W8A8"


def test_the_packaged_table_has_the_numbers_of_its_source() -> None:
    """Horowitz (ISSCC 2014), 45 nm."""
    table = read_energy()
    assert table.mac(Bits(8, 8)) == pytest.approx(0.2 + 0.1)
    assert table.mac(Bits(4, 4)) == pytest.approx(0.2 / 4 + 0.1)
    assert table.mac(Bits(16, 16)) == pytest.approx(1.1 + 0.4)
    assert table.mac(Bits(32, 32)) == pytest.approx(3.7 + 0.9)
    assert table.byte_pj == 640 / 4
    assert all((w, a) in table.mac_pj for w in SIMULATED_BITS for a in SIMULATED_BITS)
    assert "Horowitz" in json.loads(DEFAULT_TABLE.read_text())["source"]


def test_fewer_bits_take_less_energy() -> None:
    model = energy_cost(GRAPH, CHOICES, read_energy())
    costs = [model.cost(uniform(GRAPH.layer_names, bits, bits)) for bits in (2, 4, 8, 16, 32)]
    assert costs == sorted(costs)
    assert model.unit == "mJ"


@pytest.mark.parametrize(
    "table",
    [
        [],
        {},
        {"mac_pj": {"8x8": 0.3}},
        {"mac_pj": [0.3], "byte_pj": 1},
        {"mac_pj": {}, "byte_pj": 1},
        {"mac_pj": {"4x4": 0.3}, "byte_pj": 1},
        {"mac_pj": {"8": 0.3}, "byte_pj": 1},
        {"mac_pj": {"8x8": 0}, "byte_pj": 1},
        {"mac_pj": {"8x8": -1}, "byte_pj": 1},
        {"mac_pj": {"8x8": "much"}, "byte_pj": 1},
        {"mac_pj": {"8x8": float("nan")}, "byte_pj": 1},
        {"mac_pj": {"8x8": 0.3}, "byte_pj": None},
    ],
)
def test_other_files_are_refused(table: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", table)
    with pytest.raises(InputError, match=r't\.json is no energy table: it needs "byte_pj"') as told:
        read_energy(path)
    assert "\n" not in str(told.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_energy(tmp_path / "absent.json")


def test_both_values_of_a_product_are_moved(tmp_path: Path) -> None:
    layer = Layer("s", "scores", 6, 2, groups=2, in_size=(1, 4), out_size=(4, 5))
    table = read_energy(write(tmp_path / "t.json", {"mac_pj": {"8x8": 0.5}, "byte_pj": 100}))
    expected_pj = 0.5 * 4 * 5 * 6 + 100 * (6 * 5 * 4 + 6 * 4 * 8) / 8
    assert layer_energy(layer, Bits(4, 8), table) == pytest.approx(expected_pj / 1e9)
