from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from haq.board import Latency
from haq.board.agreement import MOST_DEVIATION, Deviation, check_kinds, controls, largest_deviation
from quant.errors import BoardError, InputError
from tests.haq.search.doubles import latency
from tests.haq.simulated_board import SimulatedBoard

DEVICE = SimulatedBoard().describe()


def around(ratio: float, width: float = 0.002) -> Latency:
    return latency(ratio, ratio_low=ratio - width, ratio_high=ratio + width)


def test_equal_devices_are_of_one_kind() -> None:
    faster = replace(DEVICE, memory_bytes=1, cores=2, max_policies=3)
    check_kinds({"http://a": DEVICE, "http://b": faster})
    check_kinds({"http://a": DEVICE})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cpu": "Cortex-A72"}, "cpu is 'simulated' at http://a and 'Cortex-A72' at http://b"),
        ({"machine": "aarch64"}, "machine is 'x86_64' at"),
        ({"arch": "arm"}, "arch is 'x86' at"),
        ({"bits16": "fp16"}, "bits16 is 'bf16' at"),
        ({"types16": frozenset({"Clip", "BinaryOp"})}, "and BinaryOp Clip at http://b"),
        ({"ncnn_version": "2.0"}, "ncnn version is '1.0' at"),
    ],
)
def test_any_other_difference_is_named_in_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="only boards of one kind") as raised:
        check_kinds({"http://a": DEVICE, "http://b": replace(DEVICE, **change)})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_controls_are_the_same_every_time_and_can_be_deployed() -> None:
    names = [f"l{i}" for i in range(20)]
    found = controls(names)
    assert found == controls(names)
    assert len({policy.key() for policy in found.values()}) == len(found)
    assert all(policy.is_deployable for policy in found.values())
    assert all(list(policy.layers) == names for policy in found.values())


@pytest.mark.parametrize(
    ("one", "other", "is_fault"),
    [
        (around(0.80), around(0.80), False),
        (around(0.80), around(0.82), False),
        (around(0.80), around(0.83), True),
        (around(0.83), around(0.80), True),
        (around(0.80, 0.02), around(0.83, 0.02), False),
    ],
    ids=["equal", "near", "far", "far-the-other-way", "noisy"],
)
def test_what_neither_the_bound_nor_noise_allows_is_a_fault(
    one: Latency, other: Latency, is_fault: bool
) -> None:
    deviation = Deviation("uniform 8", ("a", "b"), (one, other))
    assert deviation.is_fault == is_fault
    measured = {"a": [one], "b": [other]}
    assert ("noise" in str(deviation)) == (deviation.share > MOST_DEVIATION)
    if not is_fault:
        assert largest_deviation(["uniform 8"], measured) == deviation
        return
    values = rf"uniform 8: {one.ratio:.3f}x on a, {other.ratio:.3f}x on b"
    with pytest.raises(BoardError, match=f"the boards do not agree, {values}"):
        largest_deviation(["uniform 8"], measured)


def test_every_pair_of_boards_is_compared() -> None:
    measured = {"a": [around(0.80)], "b": [around(0.81)], "c": [around(0.79)]}
    found = largest_deviation(["uniform 8"], measured)
    assert found.boards == ("b", "c")
    assert found.share == pytest.approx(0.81 / 0.79 - 1)


def test_a_large_deviation_that_noise_explains_hides_no_fault() -> None:
    measured = {"a": [around(0.8, 0.2), around(0.80)], "b": [around(1.0, 0.2), around(0.85)]}
    with pytest.raises(BoardError, match="random 1"):
        largest_deviation(["uniform 8", "random 1"], measured)
