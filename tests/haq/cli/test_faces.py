"""A network that gives a class for every pixel, from the search to its files."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest

from haq.data.faces import load_faces
from haq.data.images import normalise
from quant.graph import Floats
from quant.ncnn.runtime import Engine
from tests.haq.cli.program import haq
from tests.haq.simulated_board import SimulatedBoard

FACES = ("--model", "mbv2_seg")
pytestmark = pytest.mark.usefixtures("few_faces")


@pytest.fixture(autouse=True)
def board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haq.connect.open_boards", lambda *arguments: SimulatedBoard())


def run_onnx(path: Path, image: Floats) -> Floats:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: Floats = session.run(None, {"images": image[None]})[0][0]
    return found


def test_a_search_is_judged_by_f1_and_leaves_networks_that_agree(cwd: Path) -> None:
    done = haq("search", *FACES, "--episodes", "3", "--bits", "8,32", "--out", "run", "--json")
    assert done.code == 0
    for row in (done.result["best"], *done.result["uniform"].values()):
        assert row["metric"]["name"] == "f1"
        assert 0.8 < row["metric"]["value"] <= 1
        assert 0.9 < row["top1"] <= 1
    assert done.result["uniform"]["32"]["kl"] < 1e-9 < done.result["uniform"]["8"]["kl"]
    assert done.result["exports"]["ncnn_agreement"] > 0.99
    assert done.result["exports"]["onnx_agreement"] > 0.99
    trials = [json.loads(line) for line in (cwd / "run" / "trials.jsonl").read_text().splitlines()]
    assert all(trial["metric"]["name"] == "f1" for trial in trials)
    assert "f1" in (cwd / "run" / "report.html").read_text()
    image = normalise(load_faces("test").pixels[0])
    param, weights, onnx_file = (
        cwd / "run" / f"mbv2_seg.{kind}" for kind in ("ncnn.param", "ncnn.bin", "onnx")
    )
    ncnn, onnx = Engine(param, weights).run(image), run_onnx(onnx_file, image)
    assert ncnn.shape == onnx.shape == (8, 64, 64)
    assert (ncnn.argmax(0) == onnx.argmax(0)).mean() > 0.99


def test_with_top1_as_the_metric_there_is_no_other(cwd: Path) -> None:
    done = haq("evaluate", *FACES, "--policy", "32", "--metric", "top1", "--json")
    assert done.code == 0
    assert "metric" not in done.result
    assert done.result["top1"] == done.result["float_top1"] > 0.95


@pytest.mark.parametrize("policy", ["8", "16", "w4a6"])
@pytest.mark.parametrize("engine", ["ncnn", "torch"])
def test_every_engine_evaluates_pixels(policy: str, engine: str, cwd: Path) -> None:
    if (policy, engine) == ("16", "ncnn"):
        engine = "auto"
    how = ("--policy", policy, "--evaluate", engine, "--quantizer", "naive")
    done = haq("evaluate", *FACES, *how, "--json")
    assert done.code == 0
    assert done.result["metric"]["name"] == "f1"
    assert 0.5 < done.result["metric"]["value"] < 1
    assert 0 < done.result["kl"] < 0.5
    assert 0.9 < done.result["agreement"] <= 1


def test_masks_need_a_network_of_their_kind(cwd: Path) -> None:
    done = haq("evaluate", "--model", "mbv1", "--data", "faces")
    assert done.code == 2
    assert "does not fit labels" in done.error
