from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def test_the_agent_has_episodes_for_each_proposal_and_learns_from_every_trial() -> None:
    given = problem("free")
    spy = Spy(given)
    trials = search(GuidedSearcher(spy, given), given, 8)
    assert spy.told == trials
    assert spy.asked == EPISODES * len(trials)


def test_batches_are_full_even_where_nothing_is_new() -> None:
    given = problem("tied", layers=2)
    searcher = GuidedSearcher(RandomSearcher(given), given)
    for _ in range(30):
        asked = searcher.ask(4)
        assert len(asked) == 4
        searcher.tell([Trial(policy, -1.0, {"kl": 1.0}) for policy in asked])


def test_the_integer_program_plans_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    given, planned = problem("free"), []

    def counted(*args: Any) -> Policy:
        planned.append(solve(*args))
        return planned[-1]

    monkeypatch.setattr(guided, "solve", counted)
    searcher = GuidedSearcher(RandomSearcher(given), given)
    first = searcher.ask(3)
    assert [policy.key() for policy in planned] == [first[0].key()]
    searcher.ask(3)
    assert len(planned) == 2


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
