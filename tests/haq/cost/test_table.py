from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import free_choices, tied_choices
from haq.cost import HaqTable, ProfileTable, read_table
from haq.policies import from_pairs
from haq.prepare import load_graph
from quant.errors import InputError, PolicyError
from quant.policy import Bits, uniform
from tests.env.toys import toy_graph
from tests.haq.cost.contract import check_cost_model, policies
from tests.haq.cost.tables import PUBLISHED, public_table, write_profile, write_table
from tests.haq.simulated_board import SimulatedBoard

GRAPH = toy_graph(6)
NAMES = GRAPH.layer_names
FREE, TIED = free_choices(NAMES), tied_choices(NAMES)
W8A8 = uniform(NAMES, 8, 8)


def refuse(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as raised:
        read_table(path).check(NAMES)
    assert "\n" not in str(raised.value)
    assert path.name in str(raised.value)


def haq_table(costs: np.ndarray[Any, Any]) -> HaqTable:
    return HaqTable(Path("table.npy"), "0", costs)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.data())
def test_contract_of_haqs_table(seed: int, data: st.DataObject) -> None:
    """Random costs: they need not fall with the bits."""
    costs = np.random.default_rng(seed).uniform(0, 1e6, (len(NAMES), 8, 8))
    model = haq_table(costs).relative(GRAPH, FREE).model
    check_cost_model(model, FREE, data.draw(st.lists(policies(FREE), min_size=1, max_size=3)))


@settings(max_examples=25)
@given(some=st.lists(policies(TIED), min_size=1, max_size=3))
def test_contract_of_a_profile(tmp_path_factory: pytest.TempPathFactory, some: list[Any]) -> None:
    path = write_profile(tmp_path_factory.mktemp("profile") / "table.json", NAMES)
    check_cost_model(read_table(path).relative(GRAPH, TIED).model, TIED, some)


def test_an_entry_is_by_layer_weight_bits_and_activation_bits(tmp_path: Path) -> None:
    costs = np.ones((len(NAMES), 8, 8))
    costs[2, 3, 5] = 100
    np.save(tmp_path / "table.npy", costs)
    table = read_table(tmp_path / "table.npy")
    found = table.relative(GRAPH, FREE)
    assert found.cost(W8A8.replace(NAMES[2], Bits(4, 6))) == 105
    assert found.cost(W8A8.replace(NAMES[2], Bits(6, 4))) == 6
    assert found.ratio(W8A8.replace(NAMES[2], Bits(4, 6))) == 105 / 6
    assert (found.reference, found.unit) == ("W8A8", "units of the table")
    content = (tmp_path / "table.npy").read_bytes()
    assert table.digest == hashlib.sha256(content).hexdigest()


def test_a_profile_is_in_milliseconds_beside_float(tmp_path: Path) -> None:
    board = SimulatedBoard()
    board.names = NAMES
    table = read_table(write_profile(tmp_path / "table.json", NAMES))
    assert isinstance(table, ProfileTable)
    table.check(NAMES)
    found = table.relative(GRAPH, TIED)
    floats = uniform(NAMES, 32, 32)
    assert (found.reference, found.unit, found.ratio(floats)) == ("float", "ms", 1)
    assert found.cost(floats) == pytest.approx(board.milliseconds(floats))
    assert found.ratio(W8A8) == found.model.cost(W8A8) != 1


def test_bits_that_a_table_does_not_hold(tmp_path: Path) -> None:
    array = read_table(write_table(tmp_path / "table.npy", len(NAMES)))
    profile = read_table(write_profile(tmp_path / "table.json", NAMES))
    array.check_policy(uniform(NAMES, 1, 2))
    profile.check_policy(W8A8)
    with pytest.raises(PolicyError, match="layer layer0 has W16A8, but the table holds 1 to 8"):
        array.check_policy(W8A8.replace("layer0", Bits(16, 8)))
    with pytest.raises(PolicyError, match="layer layer1 has W4A8, which ncnn cannot run"):
        profile.check_policy(W8A8.replace("layer1", Bits(4, 8)))


@pytest.mark.parametrize(
    ("costs", "match"),
    [
        (np.ones((6, 8)), r"of shape \(6, 8\): a table has \(layers, 8, 8\)"),
        (np.ones((6, 7, 8)), r"of shape \(6, 7, 8\)"),
        (np.ones((5, 8, 8)), "holds 5 layers, but the network has 6"),
        (np.ones((0, 8, 8)), "no cost at W8A8"),
        (np.zeros((6, 8, 8)), "no cost at W8A8"),
        (np.full((6, 8, 8), np.nan), "negative or not a number"),
        (np.full((6, 8, 8), np.inf), "negative or not a number"),
        (-np.ones((6, 8, 8)), "negative or not a number"),
        (np.ones((6, 8, 8), complex), "is not a readable array"),
        (np.full((6, 8, 8), "1"), "is not a readable array"),
    ],
)
def test_arrays_that_are_no_table(costs: Any, match: str, tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", costs)
    refuse(tmp_path / "table.npy", match)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_files_that_are_no_array(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "table.npy").write_bytes(content)
    refuse(tmp_path / "table.npy", "is not a readable array")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "table.npy").write_bytes(pickle.dumps(np.ones((6, 8, 8))))
    refuse(tmp_path / "table.npy", "is not a readable array")
    np.save(tmp_path / "table.npy", np.full((6, 8, 8), 1.0, object), allow_pickle=True)
    refuse(tmp_path / "table.npy", "is not a readable array")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    refuse(tmp_path / "absent.npy", "no such file")
    refuse(tmp_path / "absent.json", "no such file")
    (tmp_path / "folder.npy").mkdir()
    refuse(tmp_path / "folder.npy", "cannot be read")


def without_32(table: dict[str, Any]) -> None:
    del table["layers"][NAMES[1]]["32"]


def without_a_pair_of_bits(table: dict[str, Any]) -> None:
    del table["pairs"][0]["ms"]["8,16"]


def with_an_unknown_pair(table: dict[str, Any]) -> None:
    table["pairs"][0]["producer"] = "other"


def with_words(table: dict[str, Any]) -> None:
    table["layers"][NAMES[1]]["8"] = "fast"


def with_nan(table: dict[str, Any]) -> None:
    table["layers"][NAMES[1]]["8"] = float("nan")


def without_reference(table: dict[str, Any]) -> None:
    table["reference_ms"] = 0


def without_layers(table: dict[str, Any]) -> None:
    del table["layers"]


@pytest.mark.parametrize(
    "change",
    [
        *(without_32, without_a_pair_of_bits, with_an_unknown_pair, with_words, with_nan),
        *(without_reference, without_layers),
    ],
)
def test_profiles_that_are_not_whole(
    change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    path = write_profile(tmp_path / "table.json", NAMES)
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    refuse(path, "is no latency table: give what haq profile wrote, or HAQ's array as .npy")


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "null", "[" * 100_000])
def test_json_that_is_no_profile(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(text)
    refuse(tmp_path / "table.json", "is no latency table")


def test_a_profile_of_another_network(tmp_path: Path) -> None:
    refuse(
        write_profile(tmp_path / "table.json", (*NAMES[:-1], "other")),
        "of another network: 1 layers missing, 1 unknown",
    )


@pytest.mark.parametrize(
    ("weight", "activation", "ratio"),
    [
        *((4, 4, 0.397), (5, 5, 0.528), (6, 6, 0.673), (4, 8, 0.788), (2, 8, 0.695)),
        *((8, 4, 0.506), (8, 2, 0.273), (8, 8, 1.0)),
    ],
)
def test_the_public_table_at_uniform_bits(weight: int, activation: int, ratio: float) -> None:
    """Of all 53 layers: first and last have the bits of the others."""
    table, graph = read_table(public_table()), load_graph("mbv2", None, 32, "torch")
    table.check(graph.layer_names)
    found = table.relative(graph, free_choices(graph.layer_names))
    policy = uniform(graph.layer_names, weight, activation)
    assert found.reference_cost == 39_624_933
    assert found.ratio(policy) == pytest.approx(ratio, abs=5e-4)


def test_the_published_strategy_with_the_image_at_8_bits() -> None:
    """The released code charges the image at 7 bits: 23,433,397."""
    table, graph = read_table(public_table()), load_graph("mbv2", None, 32, "torch")
    found = table.relative(graph, free_choices(graph.layer_names))
    policy = from_pairs(PUBLISHED, graph.layer_names)
    assert found.cost(policy) == 23_634_821
    assert found.ratio(policy) == pytest.approx(0.5965, abs=5e-5)
    first = graph.layer_names[0]
    assert found.cost(policy.replace(first, Bits(8, 7))) == 23_433_397
