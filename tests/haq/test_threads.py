from __future__ import annotations

import os
import subprocess
import sys

import pytest

from haq.threads import THREADS, without_ours

SHOW = "import haq.cli, os, sys; print(*(os.environ[n] for n in {names}), 'numpy' in sys.modules)"


@pytest.mark.parametrize(("given", "shown"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_a_program_has_ours_unless_told_otherwise_before_numpy_is_there(
    given: dict[str, str], shown: str
) -> None:
    environ = {k: v for k, v in os.environ.items() if k not in THREADS} | given
    found = subprocess.run(
        [sys.executable, "-c", SHOW.format(names=list(THREADS))],
        env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == ["1", shown, "False"]


def test_who_measures_has_none_of_ours_and_all_else() -> None:
    assert without_ours({**THREADS, "OMP_NUM_THREADS": "2"}) == {"OMP_NUM_THREADS": "2"}
    assert without_ours({"GOMP_SPINCOUNT": "7"}) == {"GOMP_SPINCOUNT": "7"}
