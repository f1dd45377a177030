from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = "import haq.cli, os, sys; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"


@pytest.mark.parametrize(("given", "shown"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_a_program_has_one_thread_unless_told_otherwise_before_numpy_is_there(
    given: dict[str, str], shown: str
) -> None:
    environ = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | given
    found = subprocess.run(
        [sys.executable, "-c", SHOW], env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [shown, "False"]
