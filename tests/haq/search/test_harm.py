from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from env.actions import Choices, free_choices, tied_choices
from env.budget import Harm
from haq.prepare import to_tensor
from haq.progress import Silent
from haq.search.harm import (
    count_probes,
    harm_of,
    harm_to_json,
    measure_harm,
    measure_table_harm,
    probe_images,
    probed,
    total_harm,
    typical_kl,
)
from quant.evaluate import Score
from quant.policy import Bits, Policy, uniform
from quant.recipe.table import make_tables
from tests.env.toys import bit_costs
from tests.haq.search.doubles import HarmEvaluator
from tests.haq.subjects import cropped, small_subject

NAMES = ("l0", "l1", "l2", "l3")
TIED = tied_choices(NAMES)
FREE = free_choices(NAMES, (2, 4, 8))
EVERY = (2, 4, 8, 16, 32)


def test_harm_as_json_has_every_alternative() -> None:
    harm = {"l0": {Bits(2, 8): 0.5, Bits(8, 8): 0.0}}
    assert harm_to_json(harm) == {
        "l0": [
            {"weight": 2, "activation": 8, "kl": 0.5},
            {"weight": 8, "activation": 8, "kl": 0.0},
        ]
    }


def additive_harm() -> Harm:
    """Harm of weights plus harm of activations, for all bits; 32 bits do none."""
    return {
        name: {
            Bits(w, a): factor * ((w < 32) * 2.0**-w + (a < 32) * 3.0**-a)
            for w in EVERY
            for a in EVERY
        }
        for name, factor in zip(NAMES, (1, 5, 2, 0.1), strict=True)
    }


@pytest.mark.parametrize("choices", [TIED, FREE], ids=["tied", "free"])
def test_every_alternative_of_every_layer_has_its_harm(choices: Choices) -> None:
    truth = additive_harm()
    found = measure_harm(HarmEvaluator(truth), choices)
    assert list(found) == list(NAMES)
    for name in NAMES:
        assert tuple(found[name]) == choices.alternatives(name)
        for bits, harm in found[name].items():
            assert harm == pytest.approx(truth[name][bits])


@pytest.mark.parametrize("choices", [TIED, FREE], ids=["tied", "free"])
def test_probes_change_one_layer_of_the_float_network(choices: Choices) -> None:
    evaluator = HarmEvaluator(additive_harm())
    measure_harm(evaluator, choices)
    floats = uniform(NAMES, 32, 32)
    changed = [sum(p[n] != floats[n] for n in NAMES) for p in evaluator.asked]
    assert set(changed) == {1}
    assert len(evaluator.asked) == count_probes(choices)
    assert len({policy.key() for policy in evaluator.asked}) == len(evaluator.asked)


def test_weights_and_activations_are_probed_apart_where_they_are_free() -> None:
    assert probed(TIED, "l1") == [Bits(8, 8), Bits(16, 16)]
    assert probed(FREE, "l0") == [Bits(8, 32), Bits(32, 8)]
    assert len(probed(FREE, "l1")) == 6
    assert count_probes(FREE) == 2 * (2 + 6)
    assert count_probes(TIED) == 4 * 2


def test_float_does_no_harm() -> None:
    probes = {Bits(4, 32): 0.2, Bits(32, 4): 0.3}
    assert harm_of(Bits(32, 32), probes) == 0
    assert harm_of(Bits(4, 4), probes) == pytest.approx(0.5)
    assert harm_of(Bits(4, 32), probes) == 0.2


def test_harms_add_up() -> None:
    policy = Policy({"l0": Bits(8, 8), "l1": Bits(4, 2)})
    assert total_harm(policy, {"l0": {Bits(8, 8): 0.1}, "l1": {Bits(4, 2): 0.4}}) == 0.5


def test_the_typical_kl_lies_among_policies_within_the_bound() -> None:
    model = bit_costs(FREE, (1, 1, 1, 1))
    harm = {name: {b: 1.0 / b.weight for b in FREE.alternatives(name)} for name in NAMES}
    tight = typical_kl(FREE, model, 2.6, harm, np.random.default_rng(0))
    loose = typical_kl(FREE, model, 99, harm, np.random.default_rng(0))
    assert tight > loose
    assert loose >= 4 / 8
    assert tight <= 2 / 8 + 2 / 2
    assert tight == typical_kl(FREE, model, 2.6, harm, np.random.default_rng(0))


@pytest.mark.parametrize(("probes", "images"), [(1, 500), (106, 471), (718, 69), (10_000, 64)])
def test_many_probes_take_fewer_images_each(probes: int, images: int) -> None:
    assert probe_images(probes, 10**6) == images


def test_a_short_search_does_not_probe_for_longer_than_it_searches() -> None:
    assert probe_images(106, 120 * 450) == probe_images(106, 10**6)
    assert probe_images(106, 20 * 1000) == 188
    assert probe_images(106, 3 * 1000) == 64


def test_a_table_tells_other_widths_from_two_probes_a_layer() -> None:
    class ByParts:
        """Weights of 4 bits cost 0.4, inputs of 4 bits 0.2, in every layer."""

        float_top1 = 0.9
        asked = 0

        def score(self, policies: Sequence[Policy]) -> list[Score]:
            self.asked += len(policies)
            return [Score(0.9, self.kl(policy), 1.0, 10) for policy in policies]

        def kl(self, policy: Policy) -> float:
            low = [bits for bits in policy.layers.values() if bits != Bits(32, 32)]
            return sum(0.4 * (b.weight == 4) + 0.2 * (b.activation == 4) for b in low)

    subject = small_subject()
    names, network = subject.network.graph.layer_names, subject.network
    tables = make_tables(network, to_tensor(cropped("calibration", 4)))
    evaluator = ByParts()
    choices = free_choices(names, (4, 8, 32))
    harm = measure_table_harm(evaluator, choices, tables, Silent())
    assert evaluator.asked == 2 * len(names)
    row, table = harm[names[3]], tables[names[3]]
    assert row[Bits(4, 32)] == pytest.approx(0.4)
    assert row[Bits(4, 4)] == pytest.approx(0.6)
    assert row[Bits(32, 32)] == 0
    share = table.weights[8].error / table.weights[4].error
    assert row[Bits(8, 32)] == pytest.approx(0.4 * share)
