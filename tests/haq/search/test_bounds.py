from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from env.actions import free_choices, tied_choices
from haq.cost import Budget, parse_budget
from haq.search.bounds import Bounds, read_budgets, spread
from haq.search.request import check_budgets
from haq.search.target import Target, additive_target
from quant.errors import BudgetError
from quant.policy import uniform
from tests.env.toys import toy_graph

NAMES = toy_graph(6).layer_names
Read = tuple[tuple[Budget, ...] | None, Bounds | None]


def read(*texts: str, count: int | None = None, bits: Sequence[int] = (8, 16, 32)) -> Read:
    return read_budgets(texts, count, partial(check_budgets, bits=tuple(bits)))


def test_no_sweep_is_what_it_was() -> None:
    assert read() == (None, None)
    assert read("size=0.5x", "latency=0.9x") == (
        (parse_budget("size=0.5x"), parse_budget("latency=0.9x")),
        None,
    )


def test_several_bounds_of_one_budget_are_a_sweep() -> None:
    assert read("latency=0.9x,12ms, 0.8x") == (
        None,
        Bounds("latency", ("latency=0.9x", "latency=12ms", "latency=0.8x")),
    )
    assert read("bops=0.1x", "size=1 MB,0.5x") == (
        (parse_budget("bops=0.1x"),),
        Bounds("size", ("size=1MB", "size=0.5x")),
    )


def test_a_count_is_of_latency_or_of_the_kind_that_is_named() -> None:
    assert read(count=3) == (None, Bounds("latency", (), 3))
    assert read("size", count=3) == (None, Bounds("size", (), 3))
    assert read("energy", "size=0.5x", count=2) == (
        (parse_budget("size=0.5x"),),
        Bounds("energy", (), 2),
    )


@pytest.mark.parametrize(
    ("texts", "count", "message"),
    [
        (["size=0.5x,0.6x", "bops=0.1x,0.2x"], None, "one sweep at a time"),
        (["size=0.5x,0.6x"], 3, "one sweep at a time"),
        (["size", "bops"], 3, "one sweep at a time"),
        (["size=0.5x,0.50x"], None, "two bounds of 'size=0.5x,0.50x' are equal"),
        (["size=0.5x,"], None, "budget 'size=' is not understood"),
        (["size=0.5x,6"], None, "budget 'size=6' is not understood"),
        (["size=0.5x,0.6x", "size=1MB"], None, "two budgets of one kind"),
        (["latency=0.9x"], 3, "two budgets of one kind"),
        (["fast"], 3, "budget 'fast=1x' is not understood"),
        (["size"], None, "budget 'size' is not understood"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    texts: list[str], count: int | None, message: str
) -> None:
    with pytest.raises(BudgetError, match=message) as raised:
        read(*texts, count=count)
    assert "\n" not in str(raised.value)


def test_bits_without_a_latency_on_a_board_need_another_kind() -> None:
    for texts, count in ((["latency=0.5x,0.6x"], None), ([], 3)):
        with pytest.raises(BudgetError, match="no latency on a board"):
            read(*texts, count=count, bits=(2, 8))
    assert read("size", count=3, bits=(2, 8))[1] == Bounds("size", (), 3)


def size_target(bits: tuple[int, ...] = (8, 32)) -> Target:
    choices = tied_choices(NAMES, bits) if 32 in bits else free_choices(NAMES, bits)
    return additive_target(Bounds("size").open, toy_graph(6), choices)


@pytest.mark.parametrize(("bits", "widest"), [((8, 32), 32), ((2, 4, 8), 8)])
def test_bounds_are_spread_between_the_least_and_the_widest(
    bits: tuple[int, ...], widest: int
) -> None:
    target, most = size_target(bits), uniform(NAMES, widest, widest)
    low = target.model.cost(target.model.least()) / target.float_cost
    high = target.model.cost(most) / target.float_cost
    ratios = [parse_budget(one).amount for one in spread(Bounds("size", count=3), target, most)]
    assert ratios == pytest.approx(
        [low + (high - low) * part for part in (1 / 4, 1 / 2, 3 / 4)], abs=6e-4
    )


def test_there_may_be_no_room_for_so_many() -> None:
    target = size_target()
    with pytest.raises(BudgetError, match="no room for 5000 bounds of size between 0"):
        spread(Bounds("size", count=5000), target, uniform(NAMES, 32, 32))
    with pytest.raises(BudgetError, match="no room for 2 bounds"):
        spread(Bounds("size", count=2), target, target.model.least())


def test_everything_keeps_an_open_budget() -> None:
    assert size_target().bound == float("inf")
