from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import Choices, tied_choices
from haq.cost import LatencyCost
from haq.cost.latency import Prior, posterior
from haq.cost.latency import make_prior as prior_of
from haq.search.target import random_policy
from quant.policy import Bits, Policy, uniform
from tests.haq.cost.contract import check_cost_model, policies

WIDTHS = (8, 16, 32)
LayerTimes = dict[str, dict[int, float]]
PairTimes = dict[tuple[str, str], dict[tuple[int, int], float]]
WEIGHTS = 1_000
"""Of every layer."""


@dataclass(frozen=True)
class Truth:
    """Milliseconds of every layer and neighbour pair of a made-up board."""

    layers: LayerTimes
    pairs: PairTimes

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.layers)

    def milliseconds(self, policy: Policy) -> float:
        bits = {name: policy[name].weight for name in self.names}
        alone = sum(times[bits[name]] for name, times in self.layers.items())
        joined = sum(table[bits[a], bits[b]] for (a, b), table in self.pairs.items())
        return alone + joined

    def ratio(self, policy: Policy) -> float:
        return self.milliseconds(policy) / self.milliseconds(uniform(self.names, 32, 32))


def make_truth(parents: list[int | None], rng: np.random.Generator) -> Truth:
    """Layers whose n-th reads the `parents[n]`-th; fewer bits save much or lose a little."""
    names = [f"l{i}" for i in range(len(parents))]
    layers: LayerTimes = {}
    for name in names:
        ms = float(rng.uniform(0.1, 1))
        layers[name] = {b: ms * float(rng.uniform(0.4, 1.1)) for b in (8, 16)} | {32: ms}
    pairs: PairTimes = {}
    for index, parent in enumerate(parents):
        if parent is not None:
            table = {p: float(rng.uniform(-0.05, 0.1)) for p in product(WIDTHS, WIDTHS)}
            pairs[names[parent], names[index]] = table | {(32, 32): 0.0}
    return Truth(layers, pairs)


def chain(count: int) -> list[int | None]:
    return [None, *range(count - 1)]


def profiled(truth: Truth) -> tuple[LayerTimes, PairTimes, float]:
    """What a profile says of a board: pairs are timed together, overhead comes on top of each."""
    overhead = 0.05
    layers = {n: {b: ms + overhead for b, ms in t.items()} for n, t in truth.layers.items()}
    pairs = {
        (a, b): {
            (p, q): overhead + truth.layers[a][p] + truth.layers[b][q] + ms
            for (p, q), ms in table.items()
        }
        for (a, b), table in truth.pairs.items()
    }
    return layers, pairs, truth.milliseconds(uniform(truth.names, 32, 32))


def distorted(truth: Truth, common: float, own: float, rng: np.random.Generator) -> Truth:
    """Savings as isolated layers show them: off by a common factor, and each by its own error."""

    def off() -> float:
        return common * (1 + own * float(rng.normal()))

    layers = {
        name: {b: ms if b == 32 else t[32] + (ms - t[32]) * off() for b, ms in t.items()}
        for name, t in truth.layers.items()
    }
    pairs = {p: {b: ms * off() for b, ms in table.items()} for p, table in truth.pairs.items()}
    return Truth(layers, pairs)


def make_prior(layers: LayerTimes, pairs: PairTimes, reference_ms: float) -> Prior:
    """Of layers of equal size."""
    return prior_of(layers, pairs, reference_ms, dict.fromkeys(layers, WEIGHTS))


def model_of(truth: Truth) -> tuple[LatencyCost, Choices]:
    choices = tied_choices(truth.names)
    return LatencyCost(choices, make_prior(*profiled(truth))), choices


def errors(model: LatencyCost, truth: Truth, some: list[Policy]) -> float:
    """Root mean square error of the predicted ratio."""
    return float(np.sqrt(np.mean([(model.cost(p) - truth.ratio(p)) ** 2 for p in some])))


def drawn(choices: Choices, count: int, seed: int) -> list[Policy]:
    rng = np.random.default_rng(seed)
    return [random_policy(choices, rng) for _ in range(count)]


def measure(model: LatencyCost, truth: Truth, some: list[Policy], noise: float = 0.0) -> None:
    rng = np.random.default_rng(99)
    for policy in some:
        model.observe(policy, truth.ratio(policy) + noise * float(rng.normal()), noise)


@st.composite
def trees(draw: st.DrawFn, most: int = 5) -> Truth:
    """A chain, a tree or a forest of up to `most` layers."""
    count = draw(st.integers(2, most))
    parents: list[int | None] = [None]
    parents += [draw(st.none() | st.integers(0, i - 1)) for i in range(1, count)]
    return make_truth(parents, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


@given(trees(), st.data())
def test_contract_before_and_after_measurements(truth: Truth, data: st.DataObject) -> None:
    model, choices = model_of(truth)
    some = data.draw(st.lists(policies(choices), min_size=1, max_size=3))
    check_cost_model(model, choices, some)
    for policy in some:
        model.observe(policy, data.draw(st.floats(0.3, 2)), data.draw(st.floats(0, 0.05)))
    check_cost_model(model, choices, some)


@given(trees(), st.data())
def test_an_additive_board_is_predicted_from_its_profile(truth: Truth, data: st.DataObject) -> None:
    model, choices = model_of(truth)
    policy = data.draw(policies(choices))
    assert model.cost(policy) == pytest.approx(truth.ratio(policy), abs=1e-9)


@given(trees(), st.data())
def test_float_is_exactly_one_whatever_was_measured(truth: Truth, data: st.DataObject) -> None:
    model, choices = model_of(truth)
    floats = uniform(truth.names, 32, 32)
    assert model.cost(floats) == 1
    for policy in data.draw(st.lists(policies(choices), max_size=3)):
        model.observe(policy, data.draw(st.floats(0.3, 2)), 0.01)
    assert model.cost(floats) == 1


@settings(max_examples=40, deadline=None)
@given(trees(), st.data())
def test_the_least_is_the_least_of_all(truth: Truth, data: st.DataObject) -> None:
    model, choices = model_of(truth)
    for policy in data.draw(st.lists(policies(choices), max_size=2)):
        model.observe(policy, data.draw(st.floats(0.5, 1.5)), 0.01)
    everything = (choices.policy(widths) for widths in product(WIDTHS, repeat=len(truth.names)))
    assert model.cost(model.least()) == pytest.approx(min(map(model.cost, everything)), abs=1e-12)


def test_the_least_looks_beyond_single_layers() -> None:
    # Each layer alone is slower at 8 bits; together they save the conversion between them.
    layers = {name: {8: 1.1, 32: 1.0} for name in "ab"}
    pairs = {("a", "b"): {(8, 8): 1.6, (8, 32): 2.3, (32, 8): 2.3, (32, 32): 2.0}}
    choices = tied_choices(("a", "b"), (8, 32))
    model = LatencyCost(choices, make_prior(layers, pairs, 2.0))
    assert model.least() == uniform(("a", "b"), 8, 8)
    assert model.cost(model.least()) == pytest.approx(0.8)


def test_constant_overheads_cancel() -> None:
    truth = make_truth(chain(4), np.random.default_rng(0))
    layers, pairs, reference_ms = profiled(truth)
    more = {n: {b: ms + 3 for b, ms in t.items()} for n, t in layers.items()}
    joined = {p: {b: ms + 7 for b, ms in t.items()} for p, t in pairs.items()}
    ours = make_prior(layers, pairs, reference_ms)
    theirs = make_prior(more, joined, reference_ms)
    assert ours.terms == theirs.terms
    np.testing.assert_allclose(ours.effects, theirs.effects, atol=1e-12)


def test_measurements_correct_what_isolated_layers_get_wrong() -> None:
    truth = make_truth(chain(50), np.random.default_rng(1))
    model, choices = model_of(distorted(truth, 1.4, 0.3, np.random.default_rng(2)))
    held_out = drawn(choices, 40, seed=3)
    before = errors(model, truth, held_out)
    measure(model, truth, [uniform(truth.names, b, b) for b in (8, 16)])
    measure(model, truth, drawn(choices, 30, seed=4), noise=0.003)
    assert before > 0.05
    assert errors(model, truth, held_out) < before / 5


def test_one_measurement_teaches_the_common_factor() -> None:
    truth = make_truth(chain(50), np.random.default_rng(1))
    model, choices = model_of(distorted(truth, 1.5, 0.0, np.random.default_rng(2)))
    held_out = drawn(choices, 40, seed=3)
    before = errors(model, truth, held_out)
    measure(model, truth, [uniform(truth.names, 8, 8)])
    assert errors(model, truth, held_out) < before / 5


def test_a_noisy_measurement_says_less() -> None:
    truth = make_truth(chain(20), np.random.default_rng(5))
    policy = uniform(truth.names, 8, 8)
    moved = []
    for deviation in (0.003, 0.3):
        model, _ = model_of(truth)
        before = model.cost(policy)
        model.observe(policy, before + 0.1, deviation)
        moved.append(model.cost(policy) - before)
    assert moved[0] > 0.09
    assert 0 < moved[1] < 0.02


def test_the_posterior_is_that_of_linear_regression() -> None:
    """Against the textbook's form in the space of the terms (Rasmussen and Williams, 2.8)."""
    rng = np.random.default_rng(0)
    prior = rng.normal(0, 0.1, 6)
    rows = rng.integers(0, 2, (4, 6)).astype(np.float64)
    ratios, noises = rng.normal(1, 0.1, 4), np.full(4, 0.01)
    shared = rng.normal(0, 0.1, (3, 6))
    covariance = np.diag((0.3 * np.abs(prior) + 0.002) ** 2) + shared.T @ shared
    precision = rows.T @ rows / 0.01**2 + np.linalg.inv(covariance)
    pull = rows.T @ (ratios - 1 - rows @ prior) / 0.01**2
    expected = prior + np.linalg.solve(precision, pull)
    terms = tuple((f"l{i}", 8) for i in range(6))
    found = posterior(Prior(terms, prior, shared), rows, ratios, noises)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_what_weights_take_in_a_network_is_learned_for_all_layers() -> None:
    """Isolated layers all look alike; in the network a megabyte of weights takes 0.1 ms."""
    truth = make_truth(chain(40), np.random.default_rng(1))
    counts = {name: 3_000_000 if name in truth.names[30:] else 1_000 for name in truth.names}
    heavy = Truth(
        {
            n: {b: ms + counts[n] * b / 8 * 1e-7 for b, ms in t.items()}
            for n, t in truth.layers.items()
        },
        truth.pairs,
    )
    choices = tied_choices(truth.names)
    layers, pairs, _ = profiled(truth)
    reference_ms = heavy.milliseconds(uniform(heavy.names, 32, 32))
    held_out = drawn(choices, 40, seed=3)
    found = []
    for known in (counts, dict.fromkeys(counts, 0)):
        model = LatencyCost(choices, prior_of(layers, pairs, reference_ms, known))
        measure(model, heavy, drawn(choices, 8, seed=4), noise=0.003)
        found.append(errors(model, heavy, held_out))
    assert found[0] < found[1] / 2


def test_pairs_and_float_save_no_weights() -> None:
    truth = make_truth(chain(3), np.random.default_rng(0))
    prior = make_prior(*profiled(truth))
    assert prior.shared.shape == (3, len(prior.terms))
    for term, (of_8, of_16) in zip(prior.terms, prior.shared[1:].T, strict=True):
        alone = len(term) == 2
        assert (of_8 > 0, of_16 > 0) == (alone and term[1] == 8, alone and term[1] == 16)


def test_bits_outside_of_the_choices_still_have_a_cost() -> None:
    truth = make_truth(chain(3), np.random.default_rng(0))
    model = LatencyCost(tied_choices(truth.names, (8, 32)), make_prior(*profiled(truth)))
    policy = uniform(truth.names, 16, 16)
    assert model.cost(policy) == pytest.approx(truth.ratio(policy))
    assert {bits.weight for bits in model.least().layers.values()} <= {8, 32}


def test_alternatives_are_those_asked_for() -> None:
    truth = make_truth(chain(3), np.random.default_rng(0))
    model, _ = model_of(truth)
    policy = uniform(truth.names, 32, 32)
    assert model.deltas(policy, "l1", [Bits(32, 32)]) == [0]
    assert len(model.deltas(policy, "l1", [Bits(8, 8), Bits(16, 16)])) == 2


def test_draws_lie_around_the_model_and_closer_the_more_is_known() -> None:
    truth = make_truth(chain(12), np.random.default_rng(0))
    model, choices = model_of(truth)
    policy = drawn(choices, 1, seed=6)[0]
    rng, spreads = np.random.default_rng(7), []
    for count in (0, 20):
        measure(model, truth, drawn(choices, count, seed=8), noise=0.003)
        costs = [model.draw(rng).cost(policy) for _ in range(300)]
        spreads.append(np.std(costs))
        assert np.mean(costs) == pytest.approx(model.cost(policy), abs=4 * spreads[-1] / 300**0.5)
    assert spreads[1] < spreads[0] / 2
    assert model.draw(rng).cost(uniform(truth.names, 32, 32)) == 1
