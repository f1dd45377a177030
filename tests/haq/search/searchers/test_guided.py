from __future__ import annotations

from collections.abc import Sequence

import pytest

from haq.search._base import Trial
from haq.search.searchers import guided
from haq.search.searchers.guided import EPISODES, GuidedSearcher
from haq.search.searchers.ilp import solve
from haq.search.searchers.sampled import RandomSearcher
from quant.policy import Policy
from tests.haq.search.searchers.problems import problem, search


class Spy(RandomSearcher):
    """Keeps what it is told."""

    told: list[Trial]
    asked = 0

    def ask(self, n: int) -> list[Policy]:
        self.asked += n
        return super().ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told = [*getattr(self, "told", []), *trials]


def test_the_agent_has_episodes_for_what_is_screened_and_learns_from_every_trial() -> None:
    given = problem("free")
    spy = Spy(given)
    searcher = GuidedSearcher(spy, given)
    trials = search(searcher, given, 24)
    screened = 24 - len(searcher.state().values["planned"])
    assert spy.told == trials
    assert spy.asked == EPISODES * screened
    assert 0 < screened < 24


def test_batches_are_full_even_where_nothing_is_new() -> None:
    given = problem("tied", layers=2)
    searcher = GuidedSearcher(RandomSearcher(given), given)
    for _ in range(30):
        asked = searcher.ask(4)
        assert len(asked) == 4
        searcher.tell([Trial(policy, -1.0, {"kl": 1.0}) for policy in asked])


@pytest.mark.parametrize("good", [True, False])
def test_the_way_that_finds_less_kl_is_taken_more_often(good: bool) -> None:
    given = problem("free")
    searcher = GuidedSearcher(RandomSearcher(given), given)
    assert searcher._planned_share() == 0.5
    for _ in range(3):
        asked = searcher.ask(4)
        searcher.tell([Trial(policy, -1.0, {"kl": 1.0}) for policy in asked])
        planned = searcher.state().values["planned"]
        kls = [0.1 if (policy.key() in planned) == good else 1.0 for policy in asked]
        searcher.tell([Trial(p, -kl, {"kl": kl}) for p, kl in zip(asked, kls, strict=True)])
    assert searcher._planned_share() == (0.75 if good else 0.25)


def test_plans_that_are_known_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given = problem("free")
    only = solve(given, given.harm)
    monkeypatch.setattr(guided, "solve", lambda *arguments: only)
    searcher = GuidedSearcher(RandomSearcher(given), given)
    first = searcher.ask(8)
    searcher.tell([Trial(policy, -1.0, {"kl": 1.0}) for policy in first])
    assert first.count(only) == 1
    assert only not in searcher.ask(8)


def test_what_was_learned_is_better_than_what_was_believed() -> None:
    given = problem("free", share=0.5)
    true = {
        name: {bits: kl * (0.05 if index % 2 else 20) for bits, kl in row.items()}
        for index, (name, row) in enumerate(given.harm.items())
    }
    searcher = GuidedSearcher(RandomSearcher(given), given)
    kls = []
    for _ in range(15):
        asked = searcher.ask(2)
        found = [sum(true[n][b] for n, b in p.layers.items()) for p in asked]
        searcher.tell([Trial(p, -kl, {"kl": kl}) for p, kl in zip(asked, found, strict=True)])
        kls += found
    assert min(kls[10:]) < min(kls[:2])
