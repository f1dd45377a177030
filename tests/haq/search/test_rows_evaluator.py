from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haq.parallel import LocalWorkers
from haq.search.rows_evaluator import RowsEvaluator
from quant.errors import PolicyError
from quant.evaluate import score_of
from tests.haq.parallel.doubles import REFUSED, Arithmetic
from tests.haq.search.doubles import tied

ROWS = np.array([7, 3, 100])


def test_scores_are_those_of_the_rows_alone_each_as_it_is_known(tmp_path: Path) -> None:
    alone = Arithmetic(tmp_path)
    evaluator = RowsEvaluator(LocalWorkers(lambda: alone), alone.labels, ROWS)
    scores = evaluator.score([tied(8), tied(6), REFUSED])
    for policy in (tied(8), tied(6)):
        assert next(scores) == score_of(alone.see(policy, ROWS))
    with pytest.raises(PolicyError):
        next(scores)
    chosen = alone.float_logits[ROWS].argmax(1)
    assert evaluator.float_top1 == (chosen == alone.labels[ROWS]).mean()
