from __future__ import annotations

import sys

import pytest

from haq.search._base import Trial
from haq.search.searchers.nsga2 import POPULATION, Nsga2Searcher
from quant.errors import InputError
from tests.haq.search.searchers.problems import problem, search


def test_generations_get_better() -> None:
    given = problem("free", share=0.5)
    trials = search(Nsga2Searcher(given), given, 8 * POPULATION, batch=POPULATION)
    kls = [trial.score["kl"] for trial in trials]
    assert sum(kls[-POPULATION:]) < 0.95 * sum(kls[:POPULATION])


def test_a_policy_that_was_bred_twice_is_told_once_for_each() -> None:
    searcher = Nsga2Searcher(problem("free"))
    (policy,) = searcher.ask(1)
    searcher.tell([Trial(policy, -1.0), Trial(policy, -1.0)])
    assert searcher.ask(1)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'haq\[nsga2\]'"):
        Nsga2Searcher(problem("free"))
