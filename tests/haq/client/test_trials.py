from __future__ import annotations

import pytest

from haq.client import Client, ServerUnknownError
from haq.client import trials as module
from tests.haq.client.served import Served


def test_all_pages_in_the_order_that_was_asked_for(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    made = client.begin()
    assert list(client.trials(made.id)) == []
    served.put_trials(made.id, 1, 2, 3, 4, 5)
    assert [trial.episode for trial in client.trials(made.id)] == [1, 2, 3, 4, 5]
    assert [trial.episode for trial in client.trials(made.id, sort="kl")] == [5, 4, 3, 2, 1]
    best = client.trials(made.id, sort="kl", descending=True, origin="ddpg", max_kl=0.2)
    assert [trial.episode for trial in best] == [3, 4, 5]
    assert client.search(made.id).best_kl == 0.1


def test_policies_come_where_they_are_asked_for(served: Served, client: Client) -> None:
    made = client.begin()
    served.put_trials(made.id, 1)
    (slim,), (whole,) = client.trials(made.id), client.trials(made.id, policies=True)
    assert (slim.policy, whole.policy is None) == (None, False)
    assert client.trial(made.id, 1) == whole
    with pytest.raises(ServerUnknownError, match="no trial 2 yet"):
        client.trial(made.id, 2)


def test_the_front(served: Served, client: Client) -> None:
    made = client.begin()
    served.put_trials(made.id, 1, 2)
    found = client.pareto(made.id)
    assert [point.episode for point in found.front] == [1, 2]
    assert found.marks == ()
