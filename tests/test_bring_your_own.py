"""What docs/bring-your-own.md has one write and type, written and typed."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from subprocess import run

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
BLOCKS = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)
TIMEOUT_S = 400


def sections() -> list[str]:
    """The examples in their order."""
    return TEXT.split("\n## ")[1:]


def write_files(section: str, folder: Path) -> None:
    """Python blocks under the name in their first line."""
    for language, text in BLOCKS.findall(section):
        if language == "python":
            name = text.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(text)


def type_lines(section: str, folder: Path) -> str:
    """Shell blocks in the folder; what they print on both streams."""
    said = ""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, text in BLOCKS.findall(section):
        if language == "sh":
            done = run(
                ("bash", "-euc", text),
                cwd=folder,
                env={**os.environ, "PATH": tools, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            said += done.stdout + done.stderr
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for all examples, with the files of each."""
    made = tmp_path_factory.mktemp("own")
    for section in sections():
        write_files(section, made)
    return made


@pytest.fixture(scope="module")
def said(folder: Path) -> list[str]:
    """What each example prints."""
    return [type_lines(section, folder) for section in sections()]


def test_there_are_three_examples() -> None:
    assert [section[:2] for section in sections()] == ["1.", "2.", "3."]


def test_a_module_and_a_loader_are_searched(folder: Path, said: list[str]) -> None:
    summary = json.loads((folder / "found" / "summary.json").read_text())
    assert summary["model"] == "nets:make"
    assert list(summary["best"]["policy"]["layers"]) == [
        *("features.0", "features.3", "features.6"),
        "classifier",
    ]
    assert summary["uniform"]["32"]["top1"] > 0.9
    for name in ("make.ncnn.param", "make.ncnn.bin", "make.onnx", "report.html"):
        assert (folder / "found" / name).is_file()


def test_files_are_read_and_searched(folder: Path, said: list[str]) -> None:
    assert re.search(r"top-1 (0\.9|1\.0)\d+ ", said[1])
    summary = json.loads((folder / "onnx" / "summary.json").read_text())
    assert summary["model"] == "net.onnx"
    assert summary["best"]["top1"] > 0.8
    assert (folder / "onnx" / "net.onnx").is_file()


def test_a_measure_is_shown(said: list[str]) -> None:
    assert "worst_class" in said[2]
