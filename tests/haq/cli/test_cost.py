from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from haq.cost import size_cost
from haq.prepare import load_graph
from quant.policy import uniform
from tests.haq.cli.program import haq
from tests.haq.cost.tables import PUBLISHED, public_table, write_profile, write_table

LAYERS = 53


def names() -> tuple[str, ...]:
    return load_graph("mbv2", None, 32, "torch").layer_names


def test_haqs_strategy_costs_what_it_claims(cwd: Path) -> None:
    Path("strategy.json").write_text(json.dumps(PUBLISHED))
    done = haq("cost", "--policy", "strategy.json", "--table", public_table(), "--json")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert set(done.result) == {"cost", "ratio"}
    assert done.result["cost"] == 23_634_821
    assert done.result["ratio"] == pytest.approx(0.5965, abs=5e-5)


def test_a_line_for_people(cwd: Path) -> None:
    np.save("table.npy", np.full((LAYERS, 8, 8), 1000.0))
    done = haq("cost", "--policy", "w4a8", "--table", "table.npy")
    assert (done.code, done.err) == (0, "")
    assert done.out == "53,000 units of the table: 1.0000 of W8A8\n"


def test_a_profile_is_in_milliseconds_beside_float(cwd: Path) -> None:
    write_profile(Path("table.json"), names())
    done = haq("cost", "--policy", "32", "--table", "table.json")
    assert done.code == 0
    assert done.out.endswith("ms: 1.0000 of float\n")
    ratio = haq("cost", "--policy", "8", "--table", "table.json", "--json").result["ratio"]
    assert ratio != 1


def test_sizes_of_a_policy_file(cwd: Path) -> None:
    policy = uniform(names(), 4, 6, ends=8)
    Path("policy.json").write_text(json.dumps(policy.to_json()))
    done = haq("cost", "--policy", "policy.json", "--kind", "size", "--json")
    graph = load_graph("mbv2", None, 32, "torch")
    from env.actions import free_choices

    assert done.result["cost"] == size_cost(graph, free_choices(names())).cost(policy)
    assert 0.1 < done.result["ratio"] < 0.2


@pytest.mark.parametrize(("kind", "unit"), [("bops", "bit operations"), ("energy", "mJ")])
def test_other_costs_grow_with_the_image(kind: str, unit: str, cwd: Path) -> None:
    small = haq("cost", "--policy", "w4a4", "--kind", kind, "--json").result
    large = haq("cost", "--policy", "w4a4", "--kind", kind, "--input", "64", "--json").result
    assert large["cost"] > 1.5 * small["cost"]
    assert 0 < large["ratio"] < 1
    assert f"{unit}: " in haq("cost", "--policy", "w4a4", "--kind", kind).out


def test_named_weights_have_a_size_of_their_own(small: tuple[str, ...], cwd: Path) -> None:
    whole = haq("cost", "--policy", "8", "--kind", "size", "--json").result["cost"]
    done = haq("cost", "--policy", "8", "--kind", "size", "--json", *small[:4])
    assert done.result["cost"] < whole / 4


def test_an_own_energy_table(cwd: Path) -> None:
    Path("energy.json").write_text('{"mac_pj": {"8x8": 0.3}, "byte_pj": 1}')
    own = ("--kind", "energy", "--energy-table", "energy.json")
    assert haq("cost", "--policy", "8", *own).out.endswith("mJ: 1.0000 of W8A8\n")
    wide = haq("cost", "--policy", "16", *own)
    assert (wide.code, wide.error) == (2, "the energy table has nothing as wide as W16A16")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "8"], "name either a --table of latencies or a --kind of cost"),
        (["--policy", "8", "--kind", "size", "--table", "t.npy"], "name either a --table"),
        (["--policy", "8", "--kind", "size", "--energy-table", "e.json"], "--energy-table is for"),
        (["--policy", "8", "--table", "absent.npy"], "no such file: absent.npy"),
        (["--policy", "8", "--table", "few.npy"], "few.npy holds 52 layers, but the network has"),
        (["--policy", "16", "--table", "t.npy"], "layer features.0.0 has W16A16, but the table"),
        (["--policy", "w4a8", "--table", "t.json"], "layer features.1.conv.0.0 has W4A8, which"),
        (["--policy", "short.json", "--table", "t.npy"], "the policy lists 2 layers, but the"),
        (["--policy", "9", "--table", "t.npy"], "no policy '9'"),
        (["--model", "resnet", "--policy", "8", "--kind", "size"], "unknown model 'resnet'"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], message: str, cwd: Path) -> None:
    write_table(Path("t.npy"), LAYERS)
    write_table(Path("few.npy"), LAYERS - 1)
    write_profile(Path("t.json"), names())
    Path("short.json").write_text("[[8, -1], [8, 8]]")
    done = haq("cost", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(message)
