from __future__ import annotations

import pytest

from haq.ways import How, Way, choose_way
from quant.errors import PolicyError
from quant.naive import Arithmetic
from quant.policy import Bits, Policy, uniform

NAMES = ("a", "b")
EIGHT, HALF, FLOAT = (uniform(NAMES, bits, bits) for bits in (8, 16, 32))
FOUR = uniform(NAMES, 4, 8)
MIXED = FOUR.replace("b", Bits(16, 16))


@pytest.mark.parametrize(
    ("policy", "arithmetic", "same16", "way"),
    [
        (EIGHT, "ncnn", True, "deployed"),
        (EIGHT, "ncnn", False, "deployed"),
        (FLOAT, "ncnn", False, "deployed"),
        (HALF, "ncnn", True, "deployed"),
        (HALF, "ncnn", False, "torch"),
        (HALF, "simulated", True, "torch"),
        (EIGHT, "simulated", True, "simulated"),
        (FOUR, "simulated", False, "simulated"),
        (FOUR, "ncnn", True, "simulated"),
        (MIXED, "simulated", True, "torch"),
        (MIXED, "ncnn", True, "torch"),
    ],
)
def test_who_computes_a_policy(
    policy: Policy, arithmetic: Arithmetic, same16: bool, way: Way
) -> None:
    assert choose_way(policy, arithmetic, "auto", same16) == way
    assert choose_way(policy, arithmetic, "torch", same16) == "torch"
    if way == "torch":
        with pytest.raises(PolicyError, match="use --evaluate torch"):
            choose_way(policy, arithmetic, "ncnn", same16)
    else:
        how: How = "ncnn"
        assert choose_way(policy, arithmetic, how, same16) == way
