"""What passes the checks must not harm ncnn. Run in a process of its own, which may crash."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.device_agent import random_network

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_networks_that_pass_the_checks_run_at_all_widths(start: int) -> None:
    module = random_network.__name__
    command = [sys.executable, "-m", module, str(start), str(start + 100)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    tried = done.stdout.split()
    assert done.returncode == 0, f"network {tried[-1]}: status {done.returncode}, {done.stderr}"
    assert len(tried) == 100
