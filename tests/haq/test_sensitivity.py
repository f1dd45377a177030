from __future__ import annotations

import pytest

from haq.progress import Silent
from haq.sensitivity import measure_sensitivities
from quant.evaluate import Score
from quant.policy import Bits, Policy
from quant.recipe.table import Table
from tests.quant.recipe.test_table import table


class Told:
    """An evaluator by formula: a layer's KL is 1 by weights of 4 bits, 2 by inputs."""

    float_top1 = 1.0

    def __init__(self) -> None:
        self.asked: list[Policy] = []

    def score(self, policies: list[Policy]) -> list[Score]:
        self.asked += policies
        return [Score(1.0, self.kl(policy), 1.0, 1) for policy in policies]

    def kl(self, policy: Policy) -> float:
        kinds = {Bits(4, 32): 1.0, Bits(32, 4): 2.0, Bits(32, 32): 0.0}
        return sum(kinds[bits] for bits in policy.layers.values())


def test_two_probes_a_layer_and_the_rest_by_errors() -> None:
    tables: dict[str, Table] = dict(table("mobile").tables)
    told = Told()
    found = measure_sensitivities(told, tables, Silent())  # type: ignore[arg-type]
    assert len(told.asked) == 2 * len(tables)
    for name, sensitivity in found.items():
        errors = {bits: entry.error for bits, entry in tables[name].weights.items()}
        assert sensitivity.weights[4] == pytest.approx(1.0)
        assert sensitivity.inputs[4] == pytest.approx(2.0)
        assert sensitivity.weights[2] == pytest.approx(errors[2] / errors[4])
        assert sensitivity.weights[8] < sensitivity.weights[4] < sensitivity.weights[2]
