from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from haq.checks import KEYS
from quant.policy import uniform
from tests.haq.cli.program import haq
from tests.haq.subjects import small_subject

FILES = {"mbv2.onnx", "mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml"}


def test_networks_are_written_run_and_compared(images: Path, cwd: Path) -> None:
    done = haq("export", "--policy", "8", "--out", "out", "--data", images, "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert tuple(done.result) == KEYS
    assert {path.name for path in (cwd / "out").iterdir()} == FILES
    assert [path.name for path in cwd.iterdir()] == ["out"]
    for key in ("ncnn_param", "ncnn_bin", "onnx"):
        assert (cwd / done.result[key]).is_file()
    assert min(done.result["ncnn_agreement"], done.result["onnx_agreement"]) >= 0.95
    assert min(done.result["ncnn_top1"], done.result["onnx_top1"]) >= 0.8


def test_exporting_again_replaces_the_files(small: tuple[str, ...], cwd: Path) -> None:
    for bits in (8, 32):
        assert haq("export", "--policy", bits, "--out", cwd, *small).code == 0
    told = yaml.safe_load((cwd / "metadata.yaml").read_text())
    names = small_subject().network.graph.layer_names
    assert told["policy"] == json.loads(json.dumps(uniform(names, 32, 32).to_json()))
    assert {path.name for path in cwd.iterdir()} == FILES


def test_a_simulated_policy_leaves_onnx_alone(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("export", "--policy", "w6a6", "--out", "out", *small, "--json")
    assert done.code == 0
    assert {path.name for path in (cwd / "out").iterdir()} == {"mbv2.onnx"}
    assert done.result["ncnn_param"] is None


def test_without_json_a_line_for_each_result(small: tuple[str, ...], cwd: Path) -> None:
    done = haq("export", "--policy", "32", "--out", "out", *small)
    assert [line.split(":")[0] for line in done.out.splitlines()] == list(KEYS)
    assert "ncnn_agreement: 1.0" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "int8", "--out", "out"], "no policy 'int8'"),
        (["--policy", "8", "--out", "out", "--board", "board:1"], "'board:1' is not a board's"),
        (
            ["--policy", "8", "--out", "out", "--board", "http://127.0.0.1:9"],
            "no device agent answers at http://127.0.0.1:9: start it with",
        ),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str], message: str, small: tuple[str, ...], cwd: Path
) -> None:
    done = haq("export", *arguments, *small)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(message)
    assert list(cwd.iterdir()) == []


def test_a_file_in_the_way_is_one_line(small: tuple[str, ...], cwd: Path) -> None:
    (cwd / "file").write_text("mine")
    done = haq("export", "--policy", "8", "--out", "file", *small)
    assert (done.code, done.error) == (2, "the folder file cannot be made: File exists")
    assert (cwd / "file").read_text() == "mine"
