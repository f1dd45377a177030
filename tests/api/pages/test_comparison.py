from __future__ import annotations

import pytest

from api.pages.comparison import compared_chart, differing_settings, layer_lines
from api.pages.policies import find_policy
from api.service import Service
from api.views import show_all
from quant.errors import InputError
from quant.policy import uniform
from tests.api.pages.made_up import put_run, trial


def test_layers_that_differ_are_marked_in_every_row(service: Service) -> None:
    job = put_run(service, [trial(1), trial(2)])
    both = [find_policy(service, job.id, episode) for episode in (1, 2)]
    lines = layer_lines(both)
    assert [(line.texts, line.differs) for line in lines] == [
        (["8", "16"], True),
        (["16", "16"], False),
        (["32", "32"], False),
    ]
    assert compared_chart(both, lines).count('class="differs"') == 2


def test_policies_of_different_networks_do_not_compare(service: Service) -> None:
    other = uniform(["another"], 8, 8).to_json()
    job = put_run(service, [trial(1), {**trial(2), "policy": other}])
    both = [find_policy(service, job.id, episode) for episode in (1, 2)]
    with pytest.raises(InputError, match="different networks"):
        layer_lines(both)


def test_settings_that_are_the_same_are_left_out(service: Service) -> None:
    jobs = [put_run(service, seed=1), put_run(service, seed=2)]
    assert differing_settings(show_all(service, jobs)) == {"seed": [1, 2]}
