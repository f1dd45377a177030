from __future__ import annotations

import pytest

from haq import metrics, names
from haq.data.built_in import BUILT_IN
from haq.search.asked import Asked, make_request
from quant.errors import InputError


def test_the_names_that_are_known_without_loading_anything() -> None:
    assert tuple(metrics.METRICS) == names.METRICS
    assert set(names.DATA_AT_HAND) < set(BUILT_IN)


@pytest.mark.parametrize("name", [None, *names.METRICS])
def test_metrics_of_haqs_own(name: str | None) -> None:
    assert make_request(Asked(metric=name)).metric == name


@pytest.mark.parametrize("name", ["top2", "own_nothing:f"])
def test_a_metric_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match=name):
        make_request(Asked(metric=name))
