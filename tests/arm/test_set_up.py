"""What `make test-arm` takes along and what it leaves out."""

from __future__ import annotations

import ast

from tests.arm.__main__ import NCNN, REPOSITORY, RUNS, TEST_TOOLS, requirements
from tests.arm.emulated import NOT_HERE


def test_the_board_gets_what_the_agent_needs_and_what_its_tests_need() -> None:
    wanted = requirements()
    assert any(text.startswith("ncnn") for text in wanted)
    assert all(any(text.startswith(tool) for text in wanted) for tool in TEST_TOOLS)
    assert not any(text.startswith(("torch", "mypy", "onnx")) for text in wanted)
    assert not any(";" in text for text in wanted)


def test_every_path_exists() -> None:
    for path in {path.removeprefix("--ignore=") for paths in RUNS.values() for path in paths}:
        assert (REPOSITORY / path).exists(), path


def test_what_is_left_out_needs_torch() -> None:
    for path in (p.removeprefix("--ignore=") for p in NCNN if p.startswith("--ignore=")):
        assert "import torch" in (REPOSITORY / path).read_text()


def test_what_is_skipped_exists() -> None:
    for name in NOT_HERE:
        path, _, test = name.partition("::")
        tree = ast.parse((REPOSITORY / path).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
