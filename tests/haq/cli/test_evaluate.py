from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from haq.prepare import quantizer_of
from quant.policy import uniform
from quant.saved import save_layers
from tests.haq.cli.program import haq
from tests.haq.subjects import SMALL, small_net, small_subject
from tests.haq.zoo.test_checkpoint import Payload

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
        (
            ["--model", "resnet"],
            "unknown model 'resnet': did you mean resnet50 or resnet18? `haq models` lists all",
        ),
        (["--policy", "int8"], "no policy 'int8': give a file, or 8, 16, 32 or wNaM such as w4a8"),
        (["--policy", "w9a8"], "9 bits are not supported: choose 2 to 8, 16 or 32"),
        (["--data", "absent"], "no such data folder: absent"),
        (["--data", "sample:0-5000"], "rows 0-5000 asked for, but there are rows 0-1999"),
        (["--calibration", "absent:0-9"], "no such data folder: absent"),
        (["--input", "16"], "images of 28x28 do not fit an input of 16x16"),
        (["--data", "IMAGES/0.png"], "no such data folder: IMAGES/0.png"),
    ],
)
def test_wrong_input_is_one_line_and_two(
    arguments: list[str], message: str, images: Path, cwd: Path
) -> None:
    done = haq("evaluate", *(a.replace("IMAGES", str(images)) for a in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(message.replace("IMAGES", str(images)))
    assert list(cwd.iterdir()) == []


def test_images_of_another_size_are_fitted_with_one_note(
    small: tuple[str, ...], images: Path, cwd: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = haq("evaluate", *small, "--data", images, "--json")
    assert done.code == 0
    assert done.result["images"] == 20
    assert caplog.messages == [
        f"{images}: 20 of 20 images are not 16x16, and were resized to 18 on the shorter side and "
        "cut to 16x16 around the centre"
    ]


def test_calibration_takes_images_without_classes(
    small: tuple[str, ...], cwd: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for file in Path(small[-1]).glob("*.png"):
        shutil.copy(file, folder)
    done = haq("evaluate", *small, "--calibration", folder, "--json")
    assert done.code == 0
    named = haq("evaluate", *small, "--calibration", small[-1], "--json")
    assert done.result["kl"] == pytest.approx(named.result["kl"], rel=0.5)
    refused = haq("evaluate", *small, "--data", folder)
    assert refused.code == 2
    assert "holds images without classes, which are for --calibration alone" in refused.error


def test_a_loader_of_the_users(
    small: tuple[str, ...], cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cwd / "own_loader.py").write_text(
        "from pathlib import Path\n\nfrom PIL import Image\n\n\ndef load():\n"
        f"    folder = Path({small[-1]!r})\n"
        "    for line in (folder / 'labels.csv').read_text().splitlines()[1:]:\n"
        "        file, label = line.split(',')\n"
        "        yield Image.open(folder / file), int(label)\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    by_code = haq("evaluate", *small, "--data", "own_loader:load", "--json").result
    by_name = haq("evaluate", *small, "--json").result
    assert {**by_code, "seconds": 0} == {**by_name, "seconds": 0}


def test_a_metric_is_shown_beside_the_others(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("evaluate", *small, "--metric", "top5", "--json")
    assert list(done.result) == [*KEYS[:4], "metric", *KEYS[4:]]
    metric = done.result["metric"]
    assert metric["name"] == "top5"
    assert done.result["top1"] <= metric["value"] <= 1
    assert f"top5 {metric['value']:.4f}  top-1 {done.result['top1']:.4f}" in done.err


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("1 / 0", r"own_{}:judge failed: ZeroDivisionError: division by zero (own_{}.py:2)"),
        ("float('nan')", "own_{}:judge returned nan: a finite number is needed"),
        ("logits", "own_{}:judge returned a ndarray: a number is needed"),
    ],
)
def test_a_metric_that_fails_is_one_line(
    body: str,
    message: str,
    small: tuple[str, ...],
    cwd: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"judge{len(body)}"
    (cwd / f"own_{name}.py").write_text(f"def judge(logits, labels):\n    return {body}\n")
    done = haq("evaluate", *small, "--metric", f"own_{name}:judge")
    assert (done.code, done.error) == (2, message.format(name, name))


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
