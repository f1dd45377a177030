from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.cost import Budget, read_energy, read_table
from haq.cost.budget import Kind
from haq.names import AGENTS, Padding, QuantizerName, RewardKind, StartName
from haq.search.asked import Asked, make_request
from haq.search.bounds import Bounds
from haq.search.request import SearchRequest, check_budgets, parse_bits
from quant.errors import BudgetError, InputError, PolicyError
from quant.graph import Graph, Layer, Node
from quant.observers import Method
from quant.policy import ALLOWED_BITS
from tests.haq.cost.tables import write_profile, write_table

NAMES = ("stem", "middle", "last")


def chain(middle: Layer) -> Graph:
    """The layers of NAMES."""
    layers = [Layer("stem", "conv", 3, 16), middle, Layer("last", "linear", 16, 10)]
    nodes = [Node(layer.name, layer.op, (), (1,), layer) for layer in layers]
    return Graph((Node("image", "input", (), (3, 8, 8)), *nodes))


GRAPH = chain(Layer("middle", "conv", 16, 16))
REQUEST = SearchRequest(
    model="mbv2",
    weights=None,
    input_size=32,
    padding="torch",
    data="sample",
    calibration=None,
    observer="auto",
    budget=None,
    bits=(8, 16, 32),
    episodes=120,
    seed=0,
    reward="kl",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8,16,32", (8, 16, 32)),
        ("32, 8", (8, 32)),
        ("2-8", (2, 3, 4, 5, 6, 7, 8)),
        (" 4-5 ", (4, 5)),
        ("8,4,8,2", (2, 4, 8)),
        ("4,16", (4, 16)),
    ],
)
def test_bits_as_typed(text: str, expected: tuple[int, ...]) -> None:
    assert parse_bits(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8", "8,8", "8-8", "8-2", "1-8", "2-16", "8;16", "8,", "8,64", "eight", "-8,16", "2-4,8"],
)
def test_other_bits_are_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="write at least two of 2 to 8, 16 and 32") as raised:
        parse_bits(text)
    assert "\n" not in str(raised.value)


def test_a_huge_span_costs_nothing() -> None:
    with pytest.raises(PolicyError, match="are not understood"):
        parse_bits("2-99999999999999")


@given(st.sets(st.sampled_from(sorted(ALLOWED_BITS)), min_size=2))
def test_every_set_of_known_bits_is_fine(bits: set[int]) -> None:
    assert parse_bits(",".join(map(str, bits))) == tuple(sorted(bits))


budgets = st.builds(Budget, st.sampled_from(get_args(Kind)), st.floats(1e-3, 1e9), st.booleans())
requests = st.builds(
    SearchRequest,
    model=st.just("mbv2"),
    weights=st.none() | st.text("ab/.é ", min_size=1).map(Path),
    input_size=st.none() | st.integers(16, 512),
    padding=st.none() | st.sampled_from(get_args(Padding)),
    data=st.text(),
    calibration=st.none() | st.text(),
    observer=st.sampled_from(get_args(Method)),
    budget=st.none() | st.lists(budgets, min_size=1, max_size=3).map(tuple),
    bits=st.sets(st.sampled_from(sorted(ALLOWED_BITS)), min_size=2).map(sorted).map(tuple),
    episodes=st.integers(1),
    parallel=st.integers(1),
    seed=st.integers(0),
    reward=st.none() | st.sampled_from(get_args(RewardKind)),
    threads=st.integers(1, 64),
    cores=st.none() | st.just("big") | st.lists(st.integers(0, 9), min_size=1).map(tuple),
    quantizer=st.sampled_from(get_args(QuantizerName)),
    equalize=st.booleans(),
    agent=st.sampled_from(AGENTS),
    start=st.none() | st.sampled_from(get_args(StartName)),
)


@given(requests)
def test_settings_are_read_back(request_: SearchRequest) -> None:
    assert SearchRequest.from_json(json.loads(json.dumps(request_.to_json()))) == request_


def test_tables_are_read_back_by_path_and_digest(tmp_path: Path) -> None:
    energy, table = tmp_path / "energy.json", write_table(tmp_path / "table.npy", 3)
    energy.write_text('{"mac_pj": {"8x8": 0.3}, "byte_pj": 1}')
    request = replace(REQUEST, table=read_table(table), energy=read_energy(energy))
    settings = json.loads(json.dumps(request.to_json()))
    assert SearchRequest.from_json(settings).to_json() == settings
    assert SearchRequest.from_json(settings).energy == request.energy
    write_table(table, 3, seed=1)
    with pytest.raises(InputError, match=r"table\.npy has changed since: restore it"):
        SearchRequest.from_json(settings)
    table.unlink()
    with pytest.raises(InputError, match=r"no such file: .*table\.npy"):
        SearchRequest.from_json(settings)


@pytest.mark.parametrize(
    "other",
    [
        {"episodes": "many"},
        {"agent": "nobody"},
        {"bits": 8},
        {"bits": [8.5]},
        {"budget": [{"kind": "size"}]},
        {"equalize": 1},
        {"table": {"sha256": "0" * 64}},
        {"energy": {"path": None, "sha256": ""}},
        {"table": "table.npy"},
        {"invented": 1},
    ],
)
def test_settings_of_another_shape_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SearchRequest.from_json({**REQUEST.to_json(), **other})


def test_settings_without_a_device_are_of_the_cpu() -> None:
    settings = replace(REQUEST, device="cuda").to_json()
    del settings["device"]
    assert SearchRequest.from_json(settings) == REQUEST


@pytest.mark.parametrize("name", [name for name in REQUEST.to_json() if name != "device"])
def test_a_setting_that_is_missing_is_refused(name: str) -> None:
    settings = REQUEST.to_json()
    del settings[name]
    with pytest.raises(ValueError, match="other names of settings"):
        SearchRequest.from_json(settings)


def test_ncnn_runs_8_16_and_32() -> None:
    assert REQUEST.is_deployable
    assert replace(REQUEST, bits=(8, 32)).is_deployable
    assert not replace(REQUEST, bits=(4, 8)).is_deployable


def test_choices_are_tied_where_ncnn_runs_them() -> None:
    tied = REQUEST.choices(GRAPH)
    assert tied.tied
    assert set(tied.weight.values()) == {(8, 16, 32)}
    free = replace(REQUEST, bits=(2, 4, 6)).choices(GRAPH)
    assert not free.tied
    assert list(free.weight.values()) == [(8,), (2, 4, 6), (8,)]
    assert free.weight == free.activation


def test_simulated_bits_need_a_budget_without_latency() -> None:
    assert check_budgets(["size=0.2x"], (2, 8)) == (Budget("size", 0.2, True),)
    assert check_budgets(["bops=0.2x"], (2, 8)) == (Budget("bops", 0.2, True),)
    for texts in (None, ["latency=0.9x"], ["size=0.2x", "latency=0.9x"]):
        with pytest.raises(BudgetError, match="no latency on a board: give a budget such as"):
            check_budgets(texts, (2, 8))


def test_deployable_bits_take_any_budget_or_none() -> None:
    assert check_budgets(None, (8, 32)) is None
    assert check_budgets([], (8, 32)) is None
    assert check_budgets(["latency=12ms"], (8, 16, 32)) == (Budget("latency", 12, False),)
    assert check_budgets(["size=1MB"], (8, 16, 32)) == (Budget("size", 1e6, False),)


def test_settings_are_json_that_tells_requests_apart() -> None:
    others = [
        replace(REQUEST, weights=Path("weights.pth")),
        replace(REQUEST, input_size=64),
        replace(REQUEST, sweep=Bounds("latency", ("latency=0.9x", "latency=0.8x"))),
        replace(REQUEST, sweep=Bounds("latency", (), 3)),
        replace(REQUEST, padding="same"),
        replace(REQUEST, data="fashion-mnist"),
        replace(REQUEST, calibration="images"),
        replace(REQUEST, observer="kl"),
        replace(REQUEST, budget=(Budget("size", 0.5, True),)),
        replace(REQUEST, budget=(Budget("size", 0.5, False),)),
        replace(REQUEST, bits=(8, 32)),
        replace(REQUEST, episodes=119),
        replace(REQUEST, parallel=9),
        replace(REQUEST, seed=1),
        replace(REQUEST, reward="top1"),
    ]
    texts = {json.dumps(request.to_json(), sort_keys=True) for request in (REQUEST, *others)}
    assert len(texts) == 1 + len(others)


def test_shared_weights_may_have_1_bit_and_no_16() -> None:
    assert parse_bits("1-8", "kmeans") == (1, 2, 3, 4, 5, 6, 7, 8)
    assert parse_bits("4,32", "kmeans") == (4, 32)
    with pytest.raises(PolicyError, match="1 to 8 and 32 for --quantizer kmeans, as in 1-8"):
        parse_bits("8,16", "kmeans")


@pytest.mark.parametrize(
    "texts", [None, ["latency=0.9x"], ["bops=0.1x"], ["size=0.1x", "energy=0.5x"]]
)
def test_shared_weights_save_size_alone(texts: list[str] | None) -> None:
    with pytest.raises(BudgetError, match=r"k-means saves size alone.*--budget size=0.1x"):
        check_budgets(texts, (1, 8), "kmeans")
    assert check_budgets(["size=0.1x"], (1, 8), "kmeans") == (Budget("size", 0.1, True),)


@pytest.mark.parametrize("bits", [(1, 2, 3), (8, 32)])
def test_shared_weights_are_chosen_alone_and_not_counted_as_deployable(
    bits: tuple[int, ...],
) -> None:
    request = replace(REQUEST, quantizer="kmeans", bits=bits)
    choices = request.choices(GRAPH)
    assert choices.weight == dict.fromkeys(NAMES, bits)
    assert choices.activation == dict.fromkeys(NAMES, (32,))
    assert not request.is_deployable
    assert request.to_json()["quantizer"] == "kmeans"


def test_several_budgets_of_different_kinds() -> None:
    found = check_budgets(["size=1MB", "latency=0.9x", "energy=2mJ"], (8, 16))
    assert found is not None
    assert [budget.kind for budget in found] == ["size", "latency", "energy"]
    with pytest.raises(BudgetError, match="two budgets of one kind"):
        check_budgets(["size=1MB", "size=0.5x"], (8, 16))


def test_a_table_says_the_latency_of_other_bits(tmp_path: Path) -> None:
    table = read_table(write_table(tmp_path / "table.npy", 3))
    budgets = (Budget("latency", 0.6, True),)
    assert check_budgets(["latency=0.6x"], (2, 4, 8), table=table) == budgets
    profile = read_table(write_profile(tmp_path / "table.json", NAMES))
    assert check_budgets(["latency=0.6x"], (8, 16), table=profile) == budgets
    assert check_budgets(["latency=6ms"], (8, 16), table=profile) == (Budget("latency", 6, False),)
    for texts in (None, ["size=0.5x"]):
        with pytest.raises(BudgetError, match="a table is for a latency budget: add one such as"):
            check_budgets(texts, (2, 8), table=table)
    with pytest.raises(BudgetError, match="says no milliseconds: write a multiple of"):
        check_budgets(["latency=6ms"], (2, 8), table=table)
    with pytest.raises(BudgetError, match="holds bits of 1, 2, 3, 4, 5, 6, 7, 8: choose"):
        check_budgets(["latency=0.6x"], (8, 16), table=table)
    with pytest.raises(BudgetError, match="holds bits of 8, 16, 32: choose"):
        check_budgets(["latency=0.6x"], (2, 8), table=profile)


def test_an_energy_table_holds_the_bits_and_has_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "energy.json"
    path.write_text('{"mac_pj": {"8x8": 0.3}, "byte_pj": 1}')
    energy = read_energy(path)
    assert check_budgets(["energy=0.5x"], (2, 8), energy=energy)
    with pytest.raises(BudgetError, match="an energy table is for an energy budget"):
        check_budgets(["size=0.5x"], (2, 8), energy=energy)
    with pytest.raises(PolicyError, match="nothing as wide as W16A16"):
        check_budgets(["energy=0.5x"], (8, 16), energy=energy)


def test_settings_tell_tables_apart_by_their_content(tmp_path: Path) -> None:
    first, same, other = (
        replace(REQUEST, table=read_table(write_table(tmp_path / f"{name}.npy", 3, seed)))
        for name, seed in (("first", 0), ("same", 0), ("other", 1))
    )
    table = first.table
    assert table is not None
    assert first.to_json()["table"] == {"path": str(table.path), "sha256": table.digest}
    assert same.to_json()["table"]["sha256"] == table.digest
    assert other.to_json()["table"]["sha256"] != table.digest
    energy = replace(REQUEST, energy=read_energy())
    assert len(energy.to_json()["energy"]["sha256"]) == 64


def test_a_metric_is_checked_and_may_be_the_reward() -> None:
    assert make_request(Asked(reward="metric", metric="miou")).earns == "metric"
    assert make_request(Asked()).metric is None
    assert make_request(Asked(metric="miou")).earns == "kl"
    with pytest.raises(InputError, match="no metric 'iou': choose top1, top5, miou, f1"):
        make_request(Asked(metric="iou"))
    with pytest.raises(InputError, match="own_absent:f cannot be imported"):
        make_request(Asked(metric="own_absent:f"))


def test_products_are_float_where_ncnn_runs_them_and_beside_shared_weights() -> None:
    graph = chain(Layer("middle", "scores", 4, 2, groups=2))
    assert REQUEST.choices(graph).weight["middle"] == (32,)
    shared = replace(REQUEST, quantizer="kmeans", bits=(1, 2))
    assert shared.choices(graph).weight["middle"] == (32,)
    simulated = replace(REQUEST, bits=(2, 4)).choices(graph)
    assert simulated.weight["middle"] == simulated.activation["middle"] == (2, 4)


@pytest.mark.parametrize(
    ("bits", "widths"), [((8, 16, 32), (16, 32)), ((8, 32), (32,)), ((8,), (32,))]
)
def test_a_grouped_layer_takes_no_8_bits_where_ncnn_gets_them_wrong(
    bits: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    graph = chain(Layer("middle", "conv", 16, 16, groups=2))
    choices = replace(REQUEST, bits=bits).choices(graph)
    assert choices.weight == {"stem": bits, "middle": widths, "last": bits}
    simulated = replace(REQUEST, bits=(4, 8)).choices(graph)
    assert simulated.weight["middle"] == (4, 8)
