from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from haq.parallel import LocalWorkers, Rows
from quant.evaluate import Seen
from quant.policy import Policy
from tests.haq.parallel.doubles import REFUSED, Arithmetic
from tests.haq.search.doubles import tied

ROWS = np.arange(5)


def test_each_answer_comes_as_soon_as_it_is_known(tmp_path: Path) -> None:
    answers = LocalWorkers(lambda: Arithmetic(tmp_path)).see([(tied(8), ROWS), (REFUSED, ROWS)])
    assert len(next(answers)) == 5


def test_torch_has_one_thread_while_it_works_alone(tmp_path: Path) -> None:
    seen: list[int] = []

    class Looking(Arithmetic):
        def see(self, policy: Policy, rows: Rows) -> Seen:
            seen.append(torch.get_num_threads())
            return super().see(policy, rows)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in LocalWorkers(lambda: Looking(tmp_path)).see([(tied(8), ROWS)] * 2):
            seen.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2, 1, 2]
