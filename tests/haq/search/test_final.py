from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest

from haq.board import Latency
from haq.search.final import (
    FINALISTS,
    LOWERINGS,
    Complete,
    Lower,
    Winner,
    choose_measured,
    choose_simulated,
    completed,
    ranked,
)
from haq.search.loop import Outcome
from haq.search.target import Target
from quant.errors import BudgetError
from quant.evaluate import Score
from quant.policy import Bits, Policy
from tests.env.toys import TableModel
from tests.haq.search.doubles import TableMeter, latency, tied

MODEL = TableModel({"l0": {Bits(8, 8): 1.0}})
LATENCY = Target("latency", MODEL, bound=0.9, float_cost=1.0)
SIZE = Target("size", MODEL, bound=900.0, float_cost=1000.0)
BESIDE = [tied(8, 8, 8), tied(32, 32, 32)]
EVERY = list(product((8, 16, 32), repeat=3))
NAMED = {"a": tied(8, 8, 16), "b": tied(8, 16, 8), "c": tied(16, 8, 8), "d": tied(16, 16, 8)}


def outcome(policy: Policy, kl: float, cost: float, ratio: float | None = None) -> Outcome:
    score = Score(top1=0.9, kl=kl, agreement=1.0, images=10)
    measured = None if ratio is None else latency(ratio)
    return Outcome(1, "ddpg", policy, score, cost, -kl, measured)


def as_known(outcomes: Sequence[Outcome]) -> Complete:
    """Nothing was estimated."""
    known = {outcome.policy.key(): outcome.score for outcome in outcomes}
    return lambda policies: [known[policy.key()] for policy in policies]


def meter_of(ratios: dict[str, float], other: float = 1.0) -> TableMeter:
    table = dict.fromkeys(EVERY, other)
    for name, ratio in ratios.items():
        table[tuple(bits.weight for bits in NAMED[name].layers.values())] = ratio
    return TableMeter(table)


SLOWEST = outcome(tied(32, 32, 32), kl=0.0, cost=1.0)


def choose(
    outcomes: Sequence[Outcome],
    target: Target,
    complete: Complete,
    meter: TableMeter,
    beside: Sequence[Policy],
    lower: Lower = lambda missed, latency: [],
    spare: Outcome = SLOWEST,
    is_given: bool = True,
) -> Winner:
    return choose_measured(
        outcomes, target, complete, meter, beside, lower, lambda: spare, is_given
    )


def test_the_least_kl_within_the_bound_wins_by_the_new_measurement() -> None:
    outcomes = [
        outcome(NAMED["a"], kl=0.1, cost=0.8, ratio=0.89),
        outcome(NAMED["b"], kl=0.2, cost=0.8, ratio=0.80),
        outcome(NAMED["c"], kl=0.3, cost=0.8, ratio=0.70),
    ]
    meter = meter_of({"a": 0.91, "b": 0.85, "c": 0.70})
    winner = choose(outcomes, LATENCY, as_known(outcomes), meter, BESIDE)
    assert winner.outcome == outcomes[1]
    assert winner.latency == latency(0.85)
    assert meter.batches == [("final", 3 + 2)]


def test_a_little_over_the_bound_may_have_been_noise() -> None:
    outcomes = [
        outcome(NAMED["a"], kl=0.1, cost=0.99, ratio=0.91),
        outcome(NAMED["b"], kl=0.05, cost=0.8, ratio=0.95),
        outcome(NAMED["c"], kl=0.3, cost=0.8, ratio=0.80),
    ]
    winner = choose(outcomes, LATENCY, as_known(outcomes), meter_of({"a": 0.89, "c": 0.8}), BESIDE)
    assert winner.outcome == outcomes[0]
    assert [o.score.kl for o in ranked(outcomes, LATENCY)] == [0.1, 0.3]


def test_the_next_finalists_follow_where_none_fits() -> None:
    policies = [tied(*bits) for bits in EVERY[: FINALISTS + 2]]
    outcomes = [outcome(p, kl=0.01 * i, cost=0.8, ratio=0.8) for i, p in enumerate(policies)]
    table = dict.fromkeys(EVERY, 1.0) | {EVERY[FINALISTS + 1]: 0.9}
    meter = TableMeter(table)
    winner = choose(outcomes, LATENCY, as_known(outcomes), meter, BESIDE)
    assert winner.outcome == outcomes[FINALISTS + 1]
    assert meter.batches == [("final", FINALISTS + 2), ("final", 2 + 2)]


def test_no_finalist_within_the_bound_is_a_budget_error() -> None:
    outcomes = [outcome(NAMED["a"], kl=0.1, cost=0.8, ratio=0.8)]
    with pytest.raises(BudgetError, match=r"kept 0\.900x when measured again"):
        choose(outcomes, LATENCY, as_known(outcomes), meter_of({}), BESIDE)
    with pytest.raises(BudgetError, match="allow more latency or more episodes"):
        choose([], LATENCY, as_known([]), meter_of({}), BESIDE)


def test_equal_policies_are_measured_once() -> None:
    twice = [outcome(NAMED["a"], kl=0.1, cost=0.8, ratio=0.8)] * 2
    meter = meter_of({"a": 0.8})
    assert choose(twice, LATENCY, as_known(twice), meter, BESIDE).outcome == twice[0]
    assert meter.batches == [("final", 1 + 2)]


def test_a_size_is_exact_and_its_latency_only_measured() -> None:
    outcomes = [
        outcome(NAMED["a"], kl=0.1, cost=901.0),
        outcome(NAMED["b"], kl=0.2, cost=900.0),
        outcome(NAMED["c"], kl=0.3, cost=100.0),
    ]
    meter = meter_of({"b": 1.7})
    winner = choose(outcomes, SIZE, as_known(outcomes), meter, BESIDE)
    assert meter.batches == [("final", 1 + 2)]
    assert winner.outcome == outcomes[1]
    assert isinstance(winner.latency, Latency)
    assert winner.latency.ratio == 1.7


def test_simulated_outcomes_are_chosen_by_their_exact_cost() -> None:
    outcomes = [
        outcome(NAMED["a"], kl=0.1, cost=901.0),
        outcome(NAMED["b"], kl=0.3, cost=100.0),
        outcome(NAMED["c"], kl=0.2, cost=900.0),
    ]
    winner = choose_simulated(outcomes, SIZE, as_known(outcomes), as_known(outcomes))
    assert winner.outcome == outcomes[2]
    assert winner.latency is None


def test_the_first_few_compete_as_they_would_be_exported() -> None:
    outcomes = [outcome(NAMED[name], kl, cost=1.0) for kl, name in enumerate("abcd", 1)]
    exported = [replace(o, score=replace(o.score, kl=9 - o.score.kl)) for o in outcomes]
    winner = choose_simulated(outcomes, SIZE, as_known(outcomes), as_known(exported))
    assert winner.outcome == outcomes[-1]


def test_what_was_never_measured_counts_as_predicted() -> None:
    unmeasured = replace(outcome(NAMED["a"], kl=0.1, cost=0.85), latency=None)
    assert list(ranked([unmeasured], LATENCY)) == [unmeasured]
    assert list(ranked([replace(unmeasured, cost=0.95)], LATENCY)) == []


def estimated(kl: float, policy: Policy) -> Outcome:
    found = outcome(policy, kl, cost=0.8, ratio=0.8)
    return replace(found, score=replace(found.score, images=2))


def test_no_lucky_estimate_wins() -> None:
    lucky, other = estimated(0.1, NAMED["a"]), outcome(NAMED["b"], kl=0.2, cost=0.8, ratio=0.8)
    true = replace(lucky, score=replace(lucky.score, kl=0.3, images=10))
    complete = as_known([true, other])
    outcomes = [lucky, other]
    size = replace(LATENCY, kind="size")
    assert choose_simulated(outcomes, size, complete, complete).outcome == other
    measured = choose(outcomes, LATENCY, complete, meter_of({"a": 0.8, "b": 0.8}), BESIDE)
    assert measured.outcome == other
    assert completed(outcomes, complete) == [other, true]


def test_who_moves_up_is_completed_in_turn() -> None:
    guessed = [estimated(0.01 * i, tied(*bits)) for i, bits in enumerate(EVERY[:20], 1)]
    whole = [replace(o, score=replace(o.score, kl=1 - o.score.kl, images=10)) for o in guessed]
    found = completed(guessed, as_known(whole))
    assert found == sorted(whole, key=lambda o: o.score.kl)
    far = [*guessed[:FINALISTS], *(replace(o, score=replace(o.score, kl=2)) for o in guessed[9:])]
    assert {o.score.images for o in completed(far, as_known(whole))[:FINALISTS]} == {10}
    assert {o.score.images for o in completed(far, as_known(whole))[FINALISTS:]} == {2}


PRICED = TableModel({f"l{i}": {Bits(b, b): float(b) for b in (8, 16, 32)} for i in range(3)})
SIZE_TOO = Target("size", PRICED, bound=32.0, float_cost=96.0)
TIME_TOO = Target("latency", PRICED, bound=0.9, float_cost=1.0)
BOTH = Target("several", PRICED, 0.0, 1.0, parts=(SIZE_TOO, TIME_TOO))


def test_several_budgets_are_kept_each_and_only_the_measured_has_slack() -> None:
    outcomes = [
        outcome(NAMED["d"], kl=0.01, cost=0.0, ratio=0.8),  # size 40
        outcome(NAMED["a"], kl=0.1, cost=0.0, ratio=0.95),  # too slow
        outcome(NAMED["b"], kl=0.2, cost=0.0, ratio=0.91),
        outcome(NAMED["c"], kl=0.3, cost=0.0, ratio=0.8),
    ]
    assert list(ranked(outcomes, BOTH)) == outcomes[2:]
    meter = meter_of({"b": 0.95, "c": 0.85})
    winner = choose(outcomes, BOTH, as_known(outcomes), meter, BESIDE)
    assert winner.outcome == outcomes[3]


def test_no_finalist_within_several_bounds_names_them() -> None:
    outcomes = [outcome(NAMED["a"], kl=0.1, cost=0.0, ratio=0.8)]
    with pytest.raises(BudgetError, match=r"kept 0\.333x and 0\.900x when measured again"):
        choose(outcomes, BOTH, as_known(outcomes), meter_of({}), BESIDE)


def test_the_spare_one_wins_where_nothing_else_keeps_the_bound() -> None:
    slow = outcome(NAMED["a"], kl=0.1, cost=0.89)
    spare = outcome(NAMED["b"], kl=0.5, cost=0.85)
    meter = meter_of({"a": 0.95, "b": 0.85})
    winner = choose([slow], LATENCY, as_known([slow]), meter, BESIDE, spare=spare)
    assert winner.outcome == spare


def faster(made: dict[str, Outcome]) -> Lower:
    """What is made of each, by its key."""
    return lambda missed, latency: [made[k] for k in [missed.policy.key()] if k in made]


def test_what_missed_the_bound_is_lowered_and_wins_where_it_is_nearer() -> None:
    missed, kept = outcome(NAMED["a"], kl=0.1, cost=0.9), outcome(NAMED["b"], kl=0.3, cost=0.8)
    lowered = outcome(NAMED["c"], kl=0.2, cost=0.88)
    meter = meter_of({"a": 0.92, "b": 0.8, "c": 0.89})
    lower = faster({NAMED["a"].key(): lowered})
    both = [missed, kept]
    assert choose(both, LATENCY, as_known([*both, lowered]), meter, BESIDE, lower) == Winner(
        lowered, latency(0.89)
    )
    assert meter.batches == [("final", 2 + 2), ("final", 1 + 2)]


def test_what_is_farther_than_the_best_is_not_measured() -> None:
    missed, kept = outcome(NAMED["a"], kl=0.1, cost=0.9), outcome(NAMED["b"], kl=0.15, cost=0.8)
    meter = meter_of({"a": 0.92, "b": 0.8, "c": 0.89})
    lower = faster({NAMED["a"].key(): outcome(NAMED["c"], kl=0.2, cost=0.88)})
    both = [missed, kept]
    assert choose(both, LATENCY, as_known(both), meter, BESIDE, lower).outcome == kept
    assert meter.batches == [("final", 2 + 2)]


def test_what_is_lowered_and_still_misses_is_lowered_again_but_not_for_ever() -> None:
    chain = [outcome(tied(*bits), kl=0.1 * i, cost=0.8) for i, bits in enumerate(EVERY[:9])]
    made = {one.policy.key(): then for one, then in pairwise(chain)}
    table = dict.fromkeys(EVERY, 1.0)
    third = EVERY[LOWERINGS]
    meter = TableMeter(table | {third: 0.9})
    found = choose(chain[:1], LATENCY, as_known(chain), meter, BESIDE, faster(made))
    assert found.outcome == chain[LOWERINGS]
    meter = TableMeter(table)
    with pytest.raises(BudgetError, match="when measured again"):
        choose(chain[:1], LATENCY, as_known(chain), meter, BESIDE, faster(made))
    assert len(meter.batches) == 1 + LOWERINGS + 1


def test_where_no_trial_came_near_the_best_are_lowered_by_what_they_were_too_slow() -> None:
    slow = [outcome(NAMED[n], 0.1, cost=0.9, ratio=r) for n, r in (("a", 0.95), ("b", 1.1))]
    made = {one.policy.key(): outcome(NAMED["c"], kl=0.2, cost=0.89) for one in slow}
    spare = outcome(NAMED["d"], kl=0.5, cost=0.5)
    complete = as_known([*slow, *made.values()])
    meter = meter_of({"c": 0.88, "d": 0.5})
    winner = choose(slow, LATENCY, complete, meter, BESIDE, faster(made), spare)
    assert winner.outcome.policy == NAMED["c"]
    assert meter.batches == [("final", 1 + 2)]


def test_what_is_lowered_must_keep_the_other_bounds() -> None:
    slow = outcome(NAMED["b"], kl=0.1, cost=0.0, ratio=0.91)
    too_large = outcome(NAMED["d"], kl=0.2, cost=0.0)  # size 40
    meter = meter_of({"b": 0.95, "d": 0.8, "c": 0.85})
    spare = outcome(NAMED["c"], kl=0.5, cost=0.0)
    lower = faster({slow.policy.key(): too_large})
    assert choose([slow], BOTH, as_known([slow]), meter, BESIDE, lower, spare).outcome == spare


def test_of_a_bound_that_nobody_gave_the_fastest_wins_though_nothing_keeps_it() -> None:
    slow = [outcome(NAMED[n], kl, cost=0.89) for n, kl in (("a", 0.1), ("b", 0.2))]
    spare = outcome(NAMED["c"], kl=0.5, cost=0.85)
    meter = meter_of({"a": 0.97, "b": 0.93, "c": 0.95})
    complete = as_known(slow)
    winner = choose(slow, LATENCY, complete, meter, BESIDE, spare=spare, is_given=False)
    assert winner == Winner(slow[1], latency(0.93))
    with pytest.raises(BudgetError, match="when measured again"):
        choose(slow, LATENCY, complete, meter, BESIDE, spare=spare)
    nothing = choose([], LATENCY, as_known([]), meter, BESIDE, spare=spare, is_given=False)
    assert nothing == Winner(spare, latency(0.95))
