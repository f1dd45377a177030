from __future__ import annotations

from api.judge import Judge, judge_of
from tests.api.runs import made_up_trial

MIOU = {"name": "miou", "value": 0.25}


def test_without_a_metric_it_is_top1() -> None:
    judge = judge_of([made_up_trial(1)])
    assert (judge.name, judge.key) == ("top-1", "top1")
    assert judge.value(made_up_trial(1)) == made_up_trial(1)["top1"]
    assert judge_of([]) == judge


def test_another_metric_has_its_own_name() -> None:
    trial = made_up_trial(1, metric=MIOU)
    judge = judge_of([trial])
    assert judge == Judge("miou", "metric")
    assert judge.value(trial) == 0.25
