from __future__ import annotations

import pytest

from haq.search.searchers.rows import to_policies, to_rows
from haq.search.searchers.uniform import uniforms
from quant.errors import StateError
from tests.haq.search.searchers.problems import KINDS, problem


@pytest.mark.parametrize("kind", KINDS)
def test_rows_mean_the_same_policies(kind: str) -> None:
    choices = problem(kind).choices
    policies = uniforms(choices)
    rows = to_rows(policies, choices)
    assert rows.shape == (len(policies), len(choices.steps))
    assert to_policies(rows, choices) == policies
    assert to_policies(to_rows([], choices), choices) == []


def test_rows_of_other_choices_are_refused() -> None:
    tied, free = problem("tied").choices, problem("free").choices
    rows = to_rows([free.widest], free)
    with pytest.raises(StateError, match="other choices"):
        to_policies(rows, tied)
    with pytest.raises(StateError, match="other choices"):
        to_policies(rows + 1, free)
