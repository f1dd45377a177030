from __future__ import annotations

from typing import Any

import pytest

from bench.peers.mapping import candidates
from quant.policy import Bits, Policy
from tests.bench.peers.points import LAYERS


def answer(weight: list[int | None], activation: list[int | None]) -> dict[str, Any]:
    bits = {
        "weight_bits": dict(zip(LAYERS, weight, strict=True)),
        "activation_bits": dict(zip(LAYERS, activation, strict=True)),
    }
    return {"policies": [{"target": 0.5, "seconds": 1.0, **bits}]}


def policy(*bits: tuple[int, int]) -> Policy:
    return Policy({name: Bits(*pair) for name, pair in zip(LAYERS, bits, strict=True)})


def test_by_size_bits_stay_and_float_is_32() -> None:
    (found,) = candidates("MCT", "size", answer([2, 8, None], [8, 8, None]), LAYERS)
    assert found.policy == policy((2, 8), (8, 8), (32, 32))
    assert (found.tool, found.target, found.wide) == ("MCT", 0.5, None)


def test_on_the_board_few_bits_are_8_and_more_count_both_ways() -> None:
    found = list(candidates("AIMET", "board", answer([4, 12, None], [8, 8, None]), LAYERS))
    assert {one.wide: one.policy for one in found} == {
        16: policy((8, 8), (16, 16), (16, 16)),
        32: policy((8, 8), (32, 32), (32, 32)),
    }


def test_wide_activations_make_a_layer_wide() -> None:
    found = list(candidates("AIMET", "board", answer([8, 8, 8], [8, 16, None]), LAYERS))
    assert {one.policy["b"].weight for one in found} == {16, 32}
    assert {one.policy["a"].weight for one in found} == {8}


def test_where_nothing_is_wide_there_is_one_policy() -> None:
    (found,) = candidates("AIMET", "board", answer([8, 4, 8], [8, 8, 8]), LAYERS)
    assert found.policy == policy((8, 8), (8, 8), (8, 8))


def test_ours_is_deployable_as_it_is() -> None:
    (found,) = candidates("haq", "board", answer([8, 16, 32], [8, 16, 32]), LAYERS)
    assert found.policy == policy((8, 8), (16, 16), (32, 32))


def test_an_answer_that_lacks_a_layer_is_an_error() -> None:
    broken = answer([8, 8, 8], [8, 8, 8])
    del broken["policies"][0]["weight_bits"]["b"]
    with pytest.raises(KeyError, match="b"):
        list(candidates("MCT", "size", broken, LAYERS))
