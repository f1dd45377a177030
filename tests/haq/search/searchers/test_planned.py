from __future__ import annotations

import numpy as np
import pytest

from env.budget import Harm
from haq.search._base import Trial
from haq.search.searchers.planned import (
    PlannedSearcher,
    doubted,
    greedy_searcher,
    ilp_searcher,
    make_start,
)
from quant.policy import Policy
from tests.haq.search.searchers.problems import problem, total


def test_the_first_plan_is_by_the_harms_as_they_are() -> None:
    given = problem("free")
    (first,) = ilp_searcher(given).ask(1)
    others = [*ilp_searcher(given).ask(9)[1:], *greedy_searcher(given).ask(9)]
    assert total(first, given.harm) <= min(total(p, given.harm) for p in others) * 1.001


def test_plans_end_where_there_is_one_only() -> None:
    given = problem("free")
    same = given.model.least()

    def plan(harm: Harm) -> Policy:
        return same

    searcher = PlannedSearcher(plan, given.harm)
    assert searcher.ask(3) == [same]
    assert searcher.ask(3) == []


def test_what_was_tried_is_not_planned_again() -> None:
    given = problem("free")
    (first,) = greedy_searcher(given).ask(1)
    searcher = greedy_searcher(given)
    searcher.tell([Trial(first, -1.0)])
    assert first not in searcher.ask(5)


def test_doubt_moves_whole_layers() -> None:
    harm = problem("free").harm
    moved = doubted(harm, 0.5, np.random.default_rng(0))
    for name, row in harm.items():
        factors = {moved[name][bits] / kl for bits, kl in row.items()}
        assert max(factors) == pytest.approx(min(factors))
    assert doubted(harm, 0.0, np.random.default_rng(0)) == harm


def test_starts_by_name() -> None:
    given = problem("tied")
    made = make_start("ilp", given)
    walked = make_start("walk", given)
    assert make_start("cold", given) is None
    assert made and walked and (made.origin, walked.origin) == ("ilp", "walk")
    assert total(made.policy, given.harm) <= total(walked.policy, given.harm) * 1.001


@pytest.mark.parametrize("asked", [0, 1])
def test_a_restored_searcher_plans_for_the_same_harms(asked: int) -> None:
    """The first plan is for the harms as they are, all others for moved ones."""
    given = problem("free")
    planned: list[Harm] = []

    def plan(harm: Harm) -> Policy:
        planned.append(harm)
        return given.model.least()

    searcher, restored, used = (PlannedSearcher(plan, given.harm) for _ in range(3))
    searcher.ask(asked)
    used.ask(2)
    for one in (restored, used):
        one.restore(searcher.state())
    found = []
    for one in (searcher, restored, used):
        planned.clear()
        one.ask(1)
        found.append(planned[:3])
    assert found[0] == found[1] == found[2]
    assert (found[0][0] == given.harm) == (asked == 0)
