from dataclasses import replace

import numpy as np
import pytest

from bench.evaluation.racing import KEEP, faults, kendall, summarise
from quant.evaluate import Score

FULL = [Score(top1=0.8, kl=0.1 * (row + 1), agreement=0.9, images=100) for row in range(KEEP + 4)]


def test_kendall_counts_pairs() -> None:
    rising = np.arange(5.0)
    assert kendall(rising, rising) == 1.0
    assert kendall(rising, -rising) == -1.0
    swapped = np.array([1.0, 0.0, 2.0, 3.0, 4.0])
    assert kendall(swapped, rising) == pytest.approx(1 - 2 / 10)


def test_faults_of_raced_scores() -> None:
    raced = list(FULL)
    raced[0] = replace(FULL[0], images=15)
    raced[-1] = replace(FULL[-1], kl=FULL[-1].kl * 1.1, top1=0.7, images=15)
    found = faults(raced, FULL)
    assert found["kept"] == pytest.approx((KEEP - 1) / KEEP)
    assert found["kendall"] == 1.0
    assert found["relative_kl_error"] == pytest.approx(0.1 / len(FULL))
    assert found["top1_error"] == pytest.approx(0.1 / len(FULL))


def test_the_summary_of_several_orders() -> None:
    found = summarise([{"share": 0.2}, {"share": 0.3}])
    assert found["share"] == pytest.approx({"mean": 0.25, "least": 0.2, "most": 0.3})
