"""What `make test-arm` takes along and what it leaves out."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.arm.__main__ import REPOSITORY, RUNS, TEST_TOOLS, requirements
from tests.arm.emulated import NOT_HERE, needs_torch


def test_the_board_gets_what_the_agent_needs_and_what_its_tests_need() -> None:
    wanted = requirements()
    assert any(text.startswith("ncnn") for text in wanted)
    assert all(any(text.startswith(tool) for text in wanted) for tool in TEST_TOOLS)
    assert not any(text.startswith(("torch", "mypy", "onnx")) for text in wanted)
    assert not any(";" in text for text in wanted)


def test_every_path_exists() -> None:
    for path in {path for paths in RUNS.values() for path in paths}:
        assert (REPOSITORY / path).is_dir(), path


def test_files_that_need_torch_are_left_out_and_no_others() -> None:
    tests = REPOSITORY / "tests"
    assert needs_torch(tests / "quant" / "ncnn" / "test_build.py")
    assert needs_torch(tests / "quant" / "test_parity.py")
    assert not needs_torch(tests / "quant" / "ncnn" / "test_plan.py")
    assert not needs_torch(tests / "arm" / "test_int8.py")


def test_what_is_not_left_out_needs_nothing_that_a_board_lacks() -> None:
    lacks = ("torch", "onnx", "onnxruntime", "sqlalchemy", "gymnasium", "stable_baselines3")
    asked = ["--collect-only", "-qq", "-p", "tests.arm.emulated", "-p", "no:cacheprovider"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({lacks})); import pytest; "
        f"sys.exit(pytest.main({[*asked, *RUNS['max']]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_what_is_skipped_exists() -> None:
    for name in NOT_HERE:
        path, _, test = name.partition("[")[0].partition("::")
        tree = ast.parse((REPOSITORY / path).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
