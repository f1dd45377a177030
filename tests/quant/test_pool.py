from __future__ import annotations

import os
import subprocess
import sys

import torch

from quant.pool import available_cores, one_thread, run_all, run_alone

CORES = "from quant.pool import *; keep_to(1); print(available_cores(), executor()._max_workers)"


def test_results_come_in_order() -> None:
    assert run_all(lambda x: 2 * x, range(20)) == list(range(0, 40, 2))
    assert run_alone(torch.get_num_threads) == 1


def test_torch_has_one_thread_for_a_while() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_process_that_keeps_to_one_core_uses_one() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
    done = subprocess.run([sys.executable, "-c", CORES], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
