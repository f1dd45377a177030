from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.cost import Budget, parse_budget
from quant.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency=0.9x", Budget("latency", 0.9, True)),
        ("latency=.9x", Budget("latency", 0.9, True)),
        ("latency=12ms", Budget("latency", 12, False)),
        (" latency=12 ms ", Budget("latency", 12, False)),
        ("size=0.5x", Budget("size", 0.5, True)),
        ("size=3000B", Budget("size", 3000, False)),
        ("size=1.5kB", Budget("size", 1500, False)),
        ("size=1.5MB", Budget("size", 1_500_000, False)),
        ("size=2KiB", Budget("size", 2048, False)),
        ("size=2MiB", Budget("size", 2 * 1024 * 1024, False)),
        ("bops=0.05x", Budget("bops", 0.05, True)),
        ("bops=1.5G", Budget("bops", 1.5e9, False)),
        ("bops=2T", Budget("bops", 2e12, False)),
        ("energy=0.5x", Budget("energy", 0.5, True)),
        ("energy=1.5mJ", Budget("energy", 1.5, False)),
        ("energy=2uJ", Budget("energy", 0.002, False)),
    ],
)
def test_what_is_typed(text: str, expected: Budget) -> None:
    assert parse_budget(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latency",
        "latency=",
        "latency=0.9",
        "latency=x",
        "latency=0x",
        "latency=0.0ms",
        "latency=-1ms",
        "latency=1s",
        "latency=1MB",
        "latency=12ms,size=1MB",
        "latency=1e3ms",
        "latency=nanx",
        "latency=infx",
        "size=1ms",
        "size=1G",
        "size=1mb",
        "bops=1ms",
        "energy=1ms",
        "power=0.5x",
        "LATENCY=0.9x",
        "0.9x",
        "latency=1..5x",
    ],
)
def test_anything_else_is_answered_with_examples(text: str) -> None:
    with pytest.raises(BudgetError, match="is not understood: write it like latency=") as raised:
        parse_budget(text)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=30))
def test_any_text_is_a_budget_or_a_budget_error(text: str) -> None:
    with contextlib.suppress(BudgetError):
        assert parse_budget(text).amount > 0


@given(st.sampled_from(["latency", "size", "bops", "energy"]), st.floats(0.001, 100))
def test_relative_budgets_are_multiples_of_the_float_cost(kind: str, share: float) -> None:
    budget = parse_budget(f"{kind}={share:.6f}x")
    assert budget.relative
    assert budget.bound(250.0) == pytest.approx(share * 250, rel=1e-3)


def test_absolute_budgets_are_bounds_themselves() -> None:
    assert parse_budget("size=3MB").bound(9e6) == 3e6
