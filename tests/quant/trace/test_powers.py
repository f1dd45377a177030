from __future__ import annotations

import pytest

from quant.details import Exponent, Limits
from quant.errors import ModelError
from quant.trace.builder import Builder
from quant.trace.powers import normalize, power


@pytest.fixture
def builder() -> Builder:
    found = Builder()
    found.image("x", (4, 6, 5))
    return found


@pytest.mark.parametrize(
    ("exponent", "ops"),
    [
        (1, []),
        (2, ["mul"]),
        (3.0, ["mul", "mul"]),
        (7, ["mul", "mul", "mul", "mul"]),
        (16, ["mul", "mul", "mul", "mul"]),
        (0.5, ["sqrt"]),
        (-0.5, ["sqrt", "reciprocal"]),
        (-1, ["reciprocal"]),
        (-2, ["mul", "reciprocal"]),
        (2.5, ["power"]),
    ],
)
def test_powers_are_products_and_roots_where_they_can(
    builder: Builder, exponent: float, ops: list[str]
) -> None:
    made = power(builder, "p", "x", exponent)
    assert [node.op for node in builder.nodes.values()][1:] == ops
    assert made == ("p" if ops else "x")


def test_another_power_has_its_exponent(builder: Builder) -> None:
    assert builder.node(power(builder, "p", "x", 1 / 3)).detail == Exponent(1 / 3)


@pytest.mark.parametrize("exponent", [0, 0.1, -0.1, 17, float("nan")])
def test_inexact_powers_are_refused(builder: Builder, exponent: float) -> None:
    with pytest.raises(ModelError, match=r"of powers only 0\.25 to 16 are supported"):
        power(builder, "p", "x", exponent)


def test_a_norm_is_at_least_epsilon(builder: Builder) -> None:
    made = builder.node(normalize(builder, "n", "x", 1e-6))
    least = builder.node(made.inputs[1])
    assert (made.op, made.inputs, made.shape) == ("div", ("x", "n_least"), (4, 6, 5))
    assert (least.detail, least.inputs) == (Limits(1e-6, float("inf")), ("n_norm",))
    assert builder.node("n_norm").shape == (1, 6, 5)
