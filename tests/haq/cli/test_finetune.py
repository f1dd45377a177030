from __future__ import annotations

import json
from pathlib import Path

import pytest

from haq.prepare import load_network
from quant.saved import load_layers
from tests.haq.cli.program import haq

SHORT = ("--policy", "w4a4", "--epochs", "1", "--batch", "8", "--out", "out")
FILES = {
    *("checkpoint.safetensors", "layers.safetensors", "layers.json"),
    *("log.jsonl", "policy.json", "summary.json"),
}


def test_layers_are_trained_and_saved(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("finetune", *SHORT, *small, "--json")
    assert done.code == 0, done.err
    assert {path.name for path in (cwd / "out").iterdir()} == FILES
    assert done.result == json.loads((cwd / "out" / "summary.json").read_text())
    assert done.result["after"]["images"] == 4
    assert "before: top-1" in done.err and "layers: out" in done.err
    _, network = load_network("mbv2", Path(small[1]), 16, "torch")
    assert load_layers(cwd / "out", network).policy.to_json() == json.loads(
        (cwd / "out" / "policy.json").read_text()
    )
    again = haq("finetune", *SHORT, *small, "--json")
    assert again.result == done.result


def test_stages_labels_and_dropped_rounding(small: tuple[str, ...], cwd: Path) -> None:
    more = ("--stages", "blocks", "--no-distill", "--drop", "0.5", "--no-augment", "--seed", "2")
    done = haq("finetune", *SHORT, *small, *more)
    assert done.code == 0, done.err
    lines = (cwd / "out" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["stage"] for line in lines] == [1, 2, 3]
    assert done.out.splitlines()[0].startswith("before: top-1")


def test_another_recipe_is_one_line_and_two(small: tuple[str, ...], cwd: Path) -> None:
    haq("finetune", *SHORT, *small)
    done = haq("finetune", *SHORT, *small, "--seed", "1")
    assert done.code == 2
    assert done.err.splitlines()[-1].endswith("name another --out or remove it")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "17"], "a batch of 17 needs as many images, got 16"),
        (["--policy", "w99"], "no policy 'w99'"),
        (["--data", "nowhere"], "no such data folder: nowhere"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str], message: str, small: tuple[str, ...], cwd: Path
) -> None:
    done = haq("finetune", "--policy", "w4a4", *small, *arguments)
    assert done.code == 2
    assert message in done.error
    assert list(cwd.iterdir()) == []
