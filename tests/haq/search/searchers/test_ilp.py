from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import tied_choices
from haq.search.problem import Limit, Problem
from haq.search.searchers.ilp import solve
from haq.search.searchers.linear import linear_cost
from quant.policy import Policy
from tests.env.toys import CoupledModel, TableModel, toy_graph
from tests.haq.search.searchers.problems import problem, total

GRAPH = toy_graph(4)
NAMES = GRAPH.layer_names
CHOICES = tied_choices(NAMES)


def every_policy() -> list[Policy]:
    options = [CHOICES.alternatives(name) for name in NAMES]
    return [Policy(dict(zip(NAMES, chosen, strict=True))) for chosen in product(*options)]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Costs and harms that need not fall or rise with the bits, and casts that may cost or save."""
    numbers = st.floats(0.1, 4)
    table = {n: {b: draw(numbers) for b in CHOICES.alternatives(n)} for n in NAMES}
    harm = {n: {b: draw(numbers) for b in CHOICES.alternatives(n)} for n in NAMES}
    model = CoupledModel(TableModel(table), cast=draw(st.floats(-0.5, 2)))
    costs = sorted(model.cost(policy) for policy in every_policy())
    least = model.cost(model.least())
    bound = max(costs[draw(st.integers(0, len(costs) - 1))], least)
    limits = (Limit(model, bound, GRAPH.transitions),)
    return Problem(GRAPH, CHOICES, model, bound, harm, limits)


@settings(deadline=None, max_examples=30)
@given(problems())
def test_no_policy_within_the_bound_harms_less(given: Problem) -> None:
    found = solve(given, given.harm)
    allowed = [p for p in every_policy() if given.model.cost(p) <= given.bound]
    assert given.model.cost(found) <= given.bound
    best = min(total(p, given.harm) for p in allowed)
    assert total(found, given.harm) <= best * 1.001 + 1e-9


@settings(deadline=None, max_examples=30)
@given(problems())
def test_terms_add_up_to_the_cost(given: Problem) -> None:
    terms = linear_cost(given.model, CHOICES, GRAPH.transitions)
    for policy in every_policy()[::5]:
        assert terms.cost(policy) == pytest.approx(given.model.cost(policy))


def test_every_bound_is_kept() -> None:
    given = problem("tied", share=0.8)
    few = TableModel({n: {b: float(b.weight == 32) for b in r} for n, r in given.harm.items()})
    both = replace(given, limits=(*given.limits, Limit(few, 2.0)))
    alone, found = solve(given, given.harm), solve(both, given.harm)
    assert few.cost(alone) > 2 >= few.cost(found)
    assert given.model.cost(found) <= given.bound
