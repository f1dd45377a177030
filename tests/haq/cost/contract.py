"""What the search takes for granted of a cost model; a new one is to be held against it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from env.actions import Choices
from env.budget import CostModel
from quant.policy import Policy


def policies(choices: Choices) -> st.SearchStrategy[Policy]:
    """Any policy of the choices."""
    bits = {name: st.sampled_from(choices.alternatives(name)) for name in choices.names}
    return st.fixed_dictionaries(bits).map(Policy)


def check_cost_model(model: CostModel, choices: Choices, some: Sequence[Policy]) -> None:
    """Hold a model against the contract on some policies of its choices."""
    assert model.unit
    check_least(model, choices, some)
    for policy in some:
        check_deltas(model, choices, policy)


def check_least(model: CostModel, choices: Choices, some: Sequence[Policy]) -> None:
    """The least policy is one of the choices, and none of the others costs less."""
    least = model.least()
    assert choices.widths(least)
    floor = model.cost(least)
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
