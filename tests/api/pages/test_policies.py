from __future__ import annotations

import pytest

from api.errors import UnknownError
from api.pages.policies import find_policy
from api.service import Service
from haq.store import Store
from quant.policy import Policy
from tests.api.pages.made_up import policy, put_run, trial


def test_a_trial_with_its_layers(service: Service) -> None:
    job = put_run(service, [trial(1)], budgets=("latency=0.9x",))
    found = find_policy(service, job.id, 1)
    assert (found.mark, found.name) == (f"{job.id}:1", f"{job.id[:8]} trial 1")
    assert (found.cost_kind, found.latency) == ("latency", None)
    assert [layer.weight for layer in found.layers] == [8, 16, 32]


def test_the_latency_of_the_final_ranking_goes_before(service: Service) -> None:
    job = put_run(service, [trial(1)])
    known, key = Store(service.database).measurements(job.id), Policy.from_json(policy(8, 16, 32))
    known.put("latency/search", {key.key(): {"ratio": 0.5}})
    assert find_policy(service, job.id, 1).latency == {"ratio": 0.5}
    known.put("latency/final", {key.key(): {"ratio": 0.6}})
    assert find_policy(service, job.id, 1).latency == {"ratio": 0.6}


def test_a_trial_that_is_not_there(service: Service) -> None:
    with pytest.raises(UnknownError, match="no trial 2 yet"):
        find_policy(service, put_run(service, [trial(1)]).id, 2)
