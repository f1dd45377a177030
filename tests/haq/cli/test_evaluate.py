from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from haq.prepare import quantizer_of
from quant.policy import uniform
from quant.saved import save_layers
from tests.haq.cli.program import haq
from tests.haq.subjects import SMALL, small_net, small_subject
from tests.haq.zoo.test_registry import Payload

KEYS = ["top1", "float_top1", "kl", "agreement", "images", "seconds"]


@pytest.mark.parametrize("policy", ["8", "w4a8"])
def test_the_last_line_is_the_score(policy: str, images: Path, cwd: Path) -> None:
    done = haq("evaluate", "--policy", policy, "--data", images, "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert list(done.result) == KEYS
    assert done.result["images"] == 20
    assert done.result["float_top1"] >= 0.8
    assert done.result["kl"] > 0
    assert done.result["seconds"] > 0
    if policy == "8":
        assert done.result["top1"] >= 0.8
        assert done.result["agreement"] >= 0.95
    assert list(cwd.iterdir()) == []


def test_without_json_the_score_is_for_people(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--policy", "32", *small)
    assert (done.code, done.err) == (0, "")
    assert "KL 0.000e+00  agreement 1.0000  20 images, ncnn arithmetic" in done.out


def test_the_arithmetic_can_be_named(small: tuple[str, ...], cwd: Path) -> None:
    kinds = ("auto", "ncnn", "simulated")
    kl = {}
    for kind in kinds:
        done = haq("evaluate", "--policy", "8", "--arithmetic", kind, *small, "--json")
        kl[kind] = done.result["kl"]
    assert kl["auto"] == kl["ncnn"] != kl["simulated"]


@pytest.mark.parametrize(
    ("policy", "engine", "words"),
    [
        ("8", "auto", "ncnn arithmetic, by ncnn\n"),
        ("8", "torch", "ncnn arithmetic, by torch\n"),
        ("w4a8", "auto", "simulated arithmetic, by ncnn's float engine\n"),
        ("w4a8", "ncnn", "simulated arithmetic, by ncnn's float engine\n"),
        ("w8a16", "auto", "simulated arithmetic, by torch\n"),
    ],
)
def test_who_computes(
    policy: str, engine: str, words: str, small: tuple[str, ...], cwd: Path
) -> None:
    done = haq("evaluate", "--policy", policy, "--evaluate", engine, *small)
    assert done.code == 0
    assert done.out.endswith(words)


def test_as_executed_and_as_fake_quantized(small: tuple[str, ...], cwd: Path) -> None:
    one = haq("evaluate", "--policy", "8", *small, "--json").result
    other = haq("evaluate", "--policy", "8", "--evaluate", "torch", *small, "--json").result
    done = haq("evaluate", "--policy", "8", "--evaluate", "both", *small, "--json")
    assert list(done.result) == [*KEYS, "simulated"]
    assert [line.split(", by ")[1] for line in done.err.splitlines()] == ["ncnn", "torch"]
    assert {key: done.result[key] for key in KEYS[:-1]} == {key: one[key] for key in KEYS[:-1]}
    assert done.result["simulated"] == {key: other[key] for key in ("top1", "kl", "agreement")}


@pytest.mark.parametrize("what", [("--policy", "w4a8"), ("--arithmetic", "simulated")])
def test_what_ncnn_does_not_execute_has_one_score(
    what: tuple[str, ...], small: tuple[str, ...], cwd: Path
) -> None:
    done = haq("evaluate", *what, "--evaluate", "both", *small)
    assert done.code == 2
    assert done.error.startswith("--evaluate both is for policies that ncnn executes")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU")
def test_a_gpu_that_is_not_there_is_one_line(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--device", "cuda", *small)
    line = "haq: --device cuda: torch sees no GPU here, leave it at cpu\n"
    assert (done.code, done.err) == (2, line)


def test_what_ncnn_cannot_compute_is_one_line(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--policy", "w8a16", "--evaluate", "ncnn", *small)
    assert done.code == 2
    assert done.error.endswith("use --evaluate torch")


def test_a_board_computes_by_itself(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--on", "board", "--evaluate", "torch", *small)
    assert done.code == 2
    assert done.error.startswith("--evaluate and --device are for --on here")


def test_a_policy_from_a_file_and_its_own_calibration(
    small: tuple[str, ...], images: Path, tmp_path: Path, cwd: Path
) -> None:
    names = small_subject().network.graph.layer_names
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(uniform(names, 8, 8).to_json()))
    by_file = haq("evaluate", "--policy", path, *small, "--json").result
    by_name = haq("evaluate", "--policy", "8", *small, "--json").result
    assert {**by_file, "seconds": 0} == {**by_name, "seconds": 0}
    data = small[-1]
    other = haq(
        *("evaluate", "--policy", "8", *small, "--calibration", f"{data}:0-1", "--json"),
    ).result
    assert other["kl"] != by_name["kl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "absent.pth"], "no such weights file: absent.pth"),
        (["--model", "resnet"], "unknown model 'resnet': choose from mbv2"),
        (["--policy", "int8"], "no policy 'int8': give a file, or 8, 16, 32 or wNaM such as w4a8"),
        (["--policy", "w9a8"], "9 bits are not supported: choose 2 to 8, 16 or 32"),
        (["--data", "absent"], "no such data folder: absent"),
        (["--data", "sample:0-5000"], "rows 0-5000 asked for, but there are rows 0-1999"),
        (["--calibration", "absent:0-9"], "no such data folder: absent"),
        (["--input", "16"], "images of 28x28 do not fit an input of 16x16"),
        (["--input", "64", "--data", "IMAGES"], "IMAGES/0.png is 32x32 pixels, the network takes"),
    ],
)
def test_wrong_input_is_one_line_and_two(
    arguments: list[str], message: str, images: Path, cwd: Path
) -> None:
    done = haq("evaluate", *(a.replace("IMAGES", str(images)) for a in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(message.replace("IMAGES", str(images)))
    assert list(cwd.iterdir()) == []


def test_a_policy_of_another_network_is_counted(
    small: tuple[str, ...], cwd: Path, tmp_path: Path
) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(uniform(("a", "b"), 8, 8).to_json()))
    done = haq("evaluate", "--policy", path, *small)
    assert done.code == 2
    assert "53 layers missing" in done.error


def test_a_poisoned_checkpoint_is_one_line_and_runs_nothing(tmp_path: Path, cwd: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.pth"
    torch.save({**small_net().state_dict(), "extra": Payload(marker)}, path)
    done = haq("evaluate", "--weights", path, "--input", SMALL.input_size)
    assert done.code == 2
    assert "is not a readable safetensors or weights_only checkpoint" in done.error
    assert not marker.exists()
    assert list(cwd.iterdir()) == []


def test_on_a_board_its_own_ncnn_computes(small: tuple[str, ...], cwd: Path) -> None:
    here = haq("evaluate", "--policy", "8", *small, "--json").result
    done = haq("evaluate", "--policy", "8", "--on", "board", *small, "--json")
    assert done.code == 0
    assert list(done.result) == KEYS
    assert " ncnn on " in done.err
    assert done.result["images"] == here["images"]
    assert done.result["top1"] == pytest.approx(here["top1"], abs=0.1)
    assert done.result["float_top1"] == here["float_top1"]
    assert done.result["kl"] == pytest.approx(here["kl"], rel=0.5)


def test_a_board_that_is_not_asked_is_a_mistake(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--board", "http://localhost:1", *small)
    assert (done.code, done.err) == (2, "haq: --board is only asked with --on board\n")


def test_a_board_cannot_run_four_bits(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--policy", "w4a8", "--on", "board", *small)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1


def test_saved_layers_are_of_their_policy(small: tuple[str, ...], cwd: Path) -> None:
    subject = small_subject()
    policy = uniform(subject.network.graph.layer_names, 6, 8)
    made = quantizer_of(subject, "simulated").layers(policy)
    folder = cwd / "saved"
    folder.mkdir()
    save_layers(folder, made, policy, subject.network)
    ours = haq("evaluate", "--layers", folder, *small, "--json")
    assert ours.code == 0 and ours.result["kl"] > 0
    other = haq("evaluate", "--layers", folder, "--policy", "w4a8", *small)
    assert other.code == 2
    assert "of another policy" in other.err
    none = haq("evaluate", "--layers", cwd, *small)
    assert none.code == 2
    assert "no quantized layers" in none.err


@pytest.mark.parametrize("quantizer", ["best", "table", "naive"])
def test_quantizers_by_name(quantizer: str, small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", "--policy", "w6a8", "--quantizer", quantizer, *small, "--json")
    assert done.code == 0
    assert done.result["kl"] > 0
