from __future__ import annotations

import pytest

from env.actions import tied_choices
from haq.search.searchers.uniform import (
    UniformSearcher,
    nearest,
    uniforms,
    uniforms_by_name,
)
from quant.errors import BudgetError
from quant.policy import Bits, uniform
from tests.haq.search.searchers.problems import NAMES, problem, total


def test_all_uniform_policies_within_the_bound_least_harm_first() -> None:
    given = problem("free")
    found = UniformSearcher(given).ask(100)
    harms = [total(policy, given.harm) for policy in found]
    assert harms == sorted(harms)
    everything = uniforms(given.choices)
    assert len(everything) == 49
    assert len(found) == sum(given.model.cost(p) <= given.bound for p in everything)


def test_ends_keep_their_own_bits() -> None:
    found = uniforms(problem("free").choices)
    assert uniform(NAMES, 4, 6, ends=8) in found


def test_no_uniform_policy_is_an_error() -> None:
    with pytest.raises(BudgetError, match="no uniform policy keeps the budget"):
        UniformSearcher(problem("free", share=0.01))


def test_widths_have_names() -> None:
    tied = uniforms_by_name(tied_choices(NAMES, (8, 32)), (8, 32))
    assert tied == {"8": uniform(NAMES, 8, 8), "32": uniform(NAMES, 32, 32)}
    free = uniforms_by_name(problem("free").choices, (4,))
    assert free == {"w4a4": uniform(NAMES, 4, 4, ends=8)}


def test_nearest_counts_both_widths() -> None:
    assert nearest(Bits(4, 4), [Bits(8, 8), Bits(4, 8), Bits(2, 2)]) == Bits(4, 8)
