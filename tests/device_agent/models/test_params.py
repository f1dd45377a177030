from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agent.models.params import RULES, check_params
from quant.errors import FormatError
from quant.ncnn.format import NcnnLayer, Value
from quant.ncnn.runtime import PROBED

CONV: dict[int, Value] = {0: 16, 1: 3, 6: 432}
DEPTHWISE: dict[int, Value] = {0: 16, 1: 3, 6: 144, 7: 16}
CROP: dict[int, Value] = {9: (2,), 10: (4,), 11: (0,)}
LINEAR: dict[int, Value] = {0: 10, 2: 160}


def layer(type_: str, params: dict[int, Value]) -> NcnnLayer:
    return NcnnLayer(type_, "x", ("a",), ("b",), params)


def test_only_types_whose_widths_are_planned() -> None:
    assert set(RULES) == {*PROBED, "Input", "Split"}


@pytest.mark.parametrize(
    ("type_", "params"),
    [
        ("Input", {}),
        ("Split", {}),
        ("Convolution", CONV),
        ("Convolution", {**CONV, 5: 1, 9: 1, 4: 0, 14: 1024, 3: 128, 2: 128, 11: 128}),
        ("Convolution", {**CONV, 9: 3, 10: (0.0, 6.0)}),
        ("ConvolutionDepthWise", DEPTHWISE),
        ("InnerProduct", {**LINEAR, 1: 0}),
        ("Pooling", {0: 1, 4: 1}),
        ("Pooling", {0: 1, 7: 1, 8: 3, 18: 4}),
        ("Pooling", {0: 0, 1: 3, 2: 2, 3: 1, 5: 1}),
        ("BinaryOp", {}),
        ("BinaryOp", {0: 5}),
        ("ReLU", {}),
        ("ReLU", {0: 0.25}),
        ("Clip", {0: 0.0, 1: 6.0}),
        ("HardSwish", {0: 1 / 6, 1: 0.5}),
        ("Concat", {0: 0}),
        ("Crop", CROP),
        ("ShuffleChannel", {0: 2}),
        ("Reshape", {0: -1}),
        ("Reshape", {0: 1, 1: 1, 2: 12}),
        ("Interp", {0: 2, 1: 2.0, 2: 3.0}),
        ("Interp", {0: 2, 3: 7, 4: 5, 6: 1}),
        ("Deconvolution", {**CONV, 18: 1, 19: 0}),
        ("DeconvolutionDepthWise", DEPTHWISE),
        ("Scale", {0: 16, 1: 1}),
        ("PReLU", {0: 16}),
        ("ELU", {0: 0.5}),
        ("GroupNorm", {0: 4, 1: 16, 2: 1e-5, 3: 1}),
        ("PixelShuffle", {0: 2}),
        ("Reorg", {0: 2}),
        ("Padding", {0: 1, 1: 0, 2: 2, 3: 1, 4: 2}),
        ("LRN", {0: 0, 1: 5, 2: 1e-4, 3: 0.75, 4: 1.0}),
        ("UnaryOp", {0: 5}),
        ("CELU", {0: 0.5}),
    ],
)
def test_what_the_writer_and_ncnn_know_is_accepted(type_: str, params: dict[int, Value]) -> None:
    check_params(layer(type_, params))


@pytest.mark.parametrize(
    ("type_", "params", "cause"),
    [
        ("Noop", {}, "layer type Noop is not supported"),
        ("Flatten", {}, "type Flatten"),
        ("Normalize", {}, "type Normalize"),
        ("Convolution", {**CONV, 31: 7}, "has masks"),
        ("Convolution", {**CONV, 8: 2}, "already int8"),
        ("Convolution", {**CONV, 7: 2}, "Convolution has no parameter 7"),
        ("Convolution", {**CONV, 18: 1.0}, "no parameter 18"),
        ("Convolution", {**CONV, 19: 1}, "no parameter 19"),
        ("Convolution", {**CONV, -3: 1}, "no parameter -3"),
        ("Input", {0: 224}, "Input has no parameter 0"),
        ("Split", {0: 1}, "Split has no parameter 0"),
        ("Convolution", {0: 16, 1: 3}, r"parameter 6 \(weights\) is missing"),
        ("ConvolutionDepthWise", CONV, r"parameter 7 \(groups\) is missing"),
        ("InnerProduct", {0: 10}, r"parameter 2 \(weights\) is missing"),
        ("Clip", {0: 0.0}, r"parameter 1 \(greatest value\) is missing"),
        ("Convolution", {**CONV, 0: 0}, "parameter 0 .outputs. is 0, not a whole number from 1"),
        ("Convolution", {**CONV, 0: 2**31}, "outputs"),
        ("Convolution", {**CONV, 0: 16.0}, "outputs"),
        ("Convolution", {**CONV, 0: (16, 16)}, "outputs"),
        ("Convolution", {**CONV, 1: 0}, "kernel"),
        ("Convolution", {**CONV, 11: 129}, "kernel"),
        ("Convolution", {**CONV, 2: 0}, "dilation"),
        ("Convolution", {**CONV, 13: 0}, "stride"),
        ("Convolution", {**CONV, 3: -1}, "stride"),
        ("Convolution", {**CONV, 4: -233}, "pad"),
        ("Convolution", {**CONV, 15: 1025}, "pad"),
        ("Convolution", {**CONV, 5: 2}, "bias"),
        ("Convolution", {**CONV, 6: 10**40}, "weights"),
        ("Convolution", {**CONV, 9: 2, 10: (0.1,)}, "activation"),
        ("Convolution", {**CONV, 9: 3}, "takes 2 limits"),
        ("Convolution", {**CONV, 9: 3, 10: (0.0,)}, "takes 2 limits"),
        ("Convolution", {**CONV, 9: 1, 10: (0.0, 6.0)}, "takes 0 limits"),
        ("Convolution", {**CONV, 10: (0.0, 6.0)}, "takes 0 limits"),
        ("Convolution", {**CONV, 9: 3, 10: (0, 6)}, "array of floats"),
        ("Convolution", {**CONV, 9: 3, 10: 6.0}, "array of floats"),
        ("Convolution", {**CONV, 9: 3, 10: (6.0, 0.0)}, "the least first"),
        ("Convolution", {**CONV, 9: 3, 10: (0.0, 1e39)}, "array of floats"),
        ("ConvolutionDepthWise", {**DEPTHWISE, 7: 1}, "groups"),
        ("ConvolutionDepthWise", {**DEPTHWISE, 7: -16}, "groups"),
        ("Pooling", {0: 2}, "kind"),
        ("Pooling", {1: 3, 5: 0}, "pad mode"),
        ("Pooling", {1: 3, 5: 2}, "pad mode"),
        ("Pooling", {7: 2}, "adaptive"),
        ("Pooling", {7: 1, 8: 0, 18: 3}, "cells"),
        ("Pooling", {9: 1}, "Pooling has no parameter 9"),
        ("BinaryOp", {0: 7}, "operation"),
        ("BinaryOp", {0: 9}, "operation"),
        ("BinaryOp", {0: 0, 1: 2, 2: 1.0}, "with a number"),
        ("ReLU", {0: 0}, "slope"),
        ("ReLU", {0: -1.0}, "slope"),
        ("Clip", {0: 0, 1: 6}, "least value"),
        ("Sigmoid", {0: 1}, "Sigmoid has no parameter 0"),
        ("HardSigmoid", {0: 0.0}, "steepness"),
        ("HardSwish", {0: 1}, "steepness"),
        ("HardSwish", {1: 1e9}, "offset"),
        ("Concat", {0: 3}, "axis"),
        ("UnaryOp", {}, "operation. is missing"),
        ("UnaryOp", {0: 0}, "operation"),
        ("Padding", {0: 1, 1: 1, 2: 1}, r"parameter 3 \(pad\) is missing"),
        ("Padding", {0: 1, 1: 1, 2: 1, 3: -1}, "pad"),
        ("Padding", {0: 1, 1: 1, 2: 1, 3: 1, 4: 3}, "mirrored"),
        ("Reorg", {0: 0}, "side of a square"),
        ("LRN", {0: 1, 1: 3, 2: 1.0, 3: 0.5, 4: 1.0}, "region"),
        ("LRN", {0: 0, 1: 3, 2: 1.0, 3: 0.5, 4: 0.0}, "bias"),
        ("Crop", {0: 1, 1: 1}, "Crop has no parameter 0"),
        ("Crop", {9: (0,), 10: (4,)}, r"parameter 11 \(axis\) is missing"),
        ("Crop", {**CROP, 11: (3,)}, "axis"),
        ("Crop", {**CROP, 9: (-1,)}, "start"),
        ("Crop", {**CROP, 10: (4, 4)}, "end"),
        ("Crop", {**CROP, 10: 4}, "an array of one whole number"),
        ("ShuffleChannel", {}, "groups. is missing"),
        ("ShuffleChannel", {0: 0}, "groups"),
        ("ShuffleChannel", {0: 2, 1: 1}, "no parameter 1"),
        ("Reshape", {}, "width. is missing"),
        ("Reshape", {0: -2}, "width"),
        ("Reshape", {0: -1, 3: 1}, "no parameter 3"),
        ("Interp", {0: 3, 1: 2.0, 2: 2.0}, "kind"),
        ("Interp", {0: 1, 1: 0.5, 2: 2.0}, "factor"),
        ("Interp", {0: 1, 1: 2.0, 2: 2.0, 6: 2}, "aligned corners"),
        ("Interp", {0: 1, 3: 0, 4: 8}, "side of the output"),
        ("Interp", {0: 1, 1: 2.0, 2: 2.0, 5: 1}, "no parameter 5"),
        ("Deconvolution", {**CONV, 9: 1}, "Deconvolution has no parameter 9"),
        ("Deconvolution", {**CONV, 8: 2}, "already int8"),
        ("Deconvolution", {**CONV, 20: 9}, "no parameter 20"),
        ("Deconvolution", {**CONV, 18: -1}, "pad of the output"),
        ("Deconvolution", {**CONV, 4: -233}, "pad"),
        ("Scale", {1: 1}, "channels. is missing"),
        ("Scale", {0: -233}, "channels"),
        ("PReLU", {0: 0}, "slopes"),
        ("GroupNorm", {0: 4, 1: 16, 2: 1e-5, 3: 0}, "weights"),
        ("GroupNorm", {0: 0, 1: 16, 2: 1e-5, 3: 1}, "groups"),
        ("PixelShuffle", {0: 2, 1: 1}, "no parameter 1"),
    ],
)
def test_all_else_is_refused_by_name(type_: str, params: dict[int, Value], cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        check_params(layer(type_, params))


numbers = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, 1, 2, 3, 16, 0.5])
values: Any = numbers | st.lists(numbers, max_size=3).map(tuple)


@given(st.sampled_from(sorted(RULES)), st.dictionaries(st.integers(-5, 40), values, max_size=6))
def test_no_value_gets_past_its_rule(type_: str, params: dict[int, Value]) -> None:
    try:
        check_params(layer(type_, params))
    except FormatError as error:
        assert str(error)
        return
    for key, value in params.items():
        assert RULES[type_][key].accepts(value)
        flat = value if isinstance(value, tuple) else (value,)
        assert all(abs(number) < 3.5e38 for number in flat)
