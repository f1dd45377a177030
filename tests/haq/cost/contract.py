"""What the search takes for granted of a cost model; a new one is to be held against it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from env.actions import Choices
from env.budget import CostModel
from quant.policy import Policy


def policies(choices: Choices) -> st.SearchStrategy[Policy]:
    """Any policy of the choices, in the order of the network."""
    bits = [st.sampled_from(choices.alternatives(name)) for name in choices.names]
    return st.tuples(*bits).map(lambda some: Policy(dict(zip(choices.names, some, strict=True))))


def check_cost_model(
    model: CostModel, choices: Choices, some: Sequence[Policy], finds_least: bool = True
) -> None:
    """Hold a model against the contract on some policies of its choices.

    `finds_least` says whether its least policy is the least of all.
    """
    assert model.unit
    assert choices.widths(model.least())
    if finds_least:
        check_least(model, some)
    for policy in some:
        check_deltas(model, choices, policy)
    check_path(model, choices, some[0], some[-1])


def check_least(model: CostModel, some: Sequence[Policy]) -> None:
    """None of the policies costs less than the least one."""
    floor = model.cost(model.least())
    for policy in some:
        cost = model.cost(policy)
        assert floor <= cost + 1e-9 * abs(cost)


def check_deltas(model: CostModel, choices: Choices, policy: Policy) -> None:
    """Deltas are differences of cost, and nothing changes where the bits stay."""
    before = model.cost(policy)
    for name in choices.names:
        options = choices.alternatives(name)
        deltas = list(model.deltas(policy, name, options))
        expected = [model.cost(policy.replace(name, bits)) - before for bits in options]
        assert deltas == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(1.0, abs(before)))
        assert deltas[options.index(policy[name])] == pytest.approx(0, abs=1e-12)
        assert list(model.deltas(policy, name, options[::-1])) == deltas[::-1]


def check_path(model: CostModel, choices: Choices, start: Policy, end: Policy) -> None:
    """Deltas add up to the difference of cost on the way from a policy to another."""
    cost, policy = model.cost(start), start
    for name in choices.names:
        cost += model.deltas(policy, name, [end[name]])[0]
        policy = policy.replace(name, end[name])
    expected = model.cost(end)
    assert cost == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(1.0, abs(model.cost(start))))
