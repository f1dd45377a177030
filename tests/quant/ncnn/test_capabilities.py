from __future__ import annotations

import pytest

from quant.ncnn.capabilities import Arch, Bits16, Capabilities


@pytest.mark.parametrize(
    ("arch", "bits16", "expected"),
    [("x86", "bf16", (1, 1)), ("arm", "fp16", (2, 1)), ("arm", "bf16", (4, 1))],
)
def test_cast_back_to_float32(arch: Arch, bits16: Bits16, expected: tuple[int, int]) -> None:
    assert Capabilities(arch, bits16).cast_params == expected


def test_int8_layers_that_leave_16_bits() -> None:
    assert Capabilities("x86", "bf16").int8_output16 == {"Convolution"}
    assert Capabilities("arm", "fp16").int8_output16 == {"Convolution", "ConvolutionDepthWise"}


def test_a_board_has_no_16_bit_types_unless_told() -> None:
    assert Capabilities() == Capabilities("x86", "none", frozenset())
