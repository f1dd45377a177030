from dataclasses import replace

import pytest

from haq.search.reward import make_reward
from quant.evaluate import Measured, Score


def score(top1: float = 0.9, kl: float = 0.1) -> Score:
    return Score(top1=top1, kl=kl, agreement=1.0, images=100)


def test_kl_is_a_multiple_of_the_typical_one() -> None:
    reward = make_reward("kl", float_top1=0.9, typical_kl=0.05)
    assert reward(score(kl=0.1)) == pytest.approx(-2)
    assert reward(score(kl=0.05)) == pytest.approx(-1)
    assert reward(score(kl=0.0)) == 0
    assert reward(score(top1=0.1, kl=0.1)) == reward(score(top1=0.9, kl=0.1))


def test_no_typical_kl_is_no_division_by_zero() -> None:
    assert make_reward("kl", 0.9, 0.0)(score(kl=1e-9)) == pytest.approx(-1)


def test_top1_is_the_papers() -> None:
    """0.1 times the difference in percent points."""
    reward = make_reward("top1", float_top1=0.9, typical_kl=0.05)
    assert reward(score(top1=0.9)) == 0
    assert reward(score(top1=0.88)) == pytest.approx(0.1 * -2)
    assert reward(score(top1=0.91, kl=9)) == pytest.approx(0.1)


def test_a_metric_is_rewarded_like_top1() -> None:
    reward = make_reward("metric", 0.9, 0.05, float_metric=0.7)
    assert reward(replace(score(), metric=Measured("f1", 0.68))) == pytest.approx(0.1 * -2)
    assert reward(replace(score(top1=0), metric=Measured("f1", 0.7))) == 0


def test_without_a_metric_there_is_no_reward_by_one() -> None:
    with pytest.raises(ValueError, match="needs scores with one"):
        make_reward("metric", 0.9, 0.05, float_metric=0.7)(score())
