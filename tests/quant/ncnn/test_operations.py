from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quant.details import (
    Cells,
    Channels,
    Detail,
    Grouping,
    Groups,
    Limits,
    Neighbours,
    Pads,
    Pool,
    Resize,
    Rows,
    Side,
    Slope,
    Squares,
    Transposed,
)
from quant.graph import Node, Op, Weights
from quant.ncnn.format import Value
from quant.ncnn.operations import constant_payload, deconv_payload, operation_type

WINDOW: dict[int, Value] = {1: 2, 11: 3, 2: 1, 12: 2, 3: 4, 13: 6, 14: 5, 15: 7, 5: 1}
POOL = Pool((3, 2), (2, 1), (4, 5, 6, 7))


@pytest.mark.parametrize(
    ("op", "detail", "type_", "params"),
    [
        ("add", None, "BinaryOp", {0: 0}),
        ("mul", None, "BinaryOp", {0: 2}),
        ("concat", None, "Concat", {0: 0}),
        ("hardswish", None, "HardSwish", {0: 1 / 6, 1: 0.5}),
        ("silu", None, "Swish", {}),
        ("relu6", None, "Clip", {0: 0.0, 1: 6.0}),
        ("leaky_relu", Slope(0.25), "ReLU", {0: 0.25}),
        ("elu", Slope(0.25), "ELU", {0: 0.25}),
        ("clip", Limits(-1.0, 2.0), "Clip", {0: -1.0, 1: 2.0}),
        ("clip", Limits(0.0, np.inf), "Clip", {0: 0.0, 1: 3.402823e38}),
        ("pixel_shuffle", Squares(2), "PixelShuffle", {0: 2}),
        ("pixel_unshuffle", Squares(2), "Reorg", {0: 2}),
        ("celu", Slope(0.25), "CELU", {0: 0.25}),
        ("pad", Pads((1, 2, 3, 4), "reflect"), "Padding", {0: 3, 1: 4, 2: 1, 3: 2, 4: 2}),
        ("concat", Side(2), "Concat", {0: 2}),
        ("take", Rows(1, 4), "Crop", {9: (1,), 10: (4,), 11: (1,)}),
        ("local_response_norm", Neighbours(3, 1, 0.5, 2), "LRN", {0: 0, 1: 3, 2: 1, 3: 0.5, 4: 2}),
        ("sqrt", None, "UnaryOp", {0: 5}),
        ("channel_max", None, "Reduction", {0: 4, 1: 0, 3: (0,), 4: 1, 5: 1}),
        ("slice", Channels(2, 6), "Crop", {9: (2,), 10: (6,), 11: (0,)}),
        ("shuffle", Groups(3), "ShuffleChannel", {0: 3}),
        ("resize", Resize("nearest"), "Interp", {0: 1, 3: 2, 4: 3}),
        ("resize", Resize("bilinear"), "Interp", {0: 2, 3: 2, 4: 3}),
        ("resize", Resize("aligned"), "Interp", {0: 2, 3: 2, 4: 3, 6: 1}),
        ("adaptive_avg_pool", Cells((4, 4)), "Pooling", {0: 1, 7: 1, 8: 3, 18: 2}),
        ("max_pool", POOL, "Pooling", {0: 0, **WINDOW}),
        ("avg_pool", POOL, "Pooling", {0: 1, 6: 0, **WINDOW}),
        ("avg_pool", replace(POOL, counts_pads=True), "Pooling", {0: 1, 6: 1, **WINDOW}),
    ],
)
def test_types_and_parameters(
    op: Op, detail: Detail | None, type_: str, params: dict[int, Value]
) -> None:
    assert operation_type(Node("x", op, ("a",), (4, 2, 3), detail=detail)) == (type_, params)


def test_reshapes() -> None:
    assert operation_type(Node("x", "reshape", ("a",), (24,))) == ("Reshape", {0: -1})
    pixel = operation_type(Node("x", "reshape", ("a",), (24, 1, 1)))
    assert pixel == ("Reshape", {0: 1, 1: 1, 2: 24})


def test_parameters_of_a_transposed_convolution() -> None:
    """What its output is padded with is given apart from what is cut."""
    weights = Weights(np.zeros((4, 3, 2, 5), np.float32), np.zeros(6, np.float32))
    how = Transposed((2, 5), (3, 1), (1, 2, 0, -1), (4, 1), 2)
    node = Node("x", "deconv", ("a",), (6, 9, 9), None, how, weights)
    assert operation_type(node) == (
        "DeconvolutionDepthWise",
        {
            **{0: 6, 1: 5, 11: 2, 2: 1, 12: 4, 3: 1, 13: 3, 4: 1, 14: 0, 15: 2, 16: 0},
            **{18: 0, 19: 1, 5: 1, 6: 120, 7: 2},
        },
    )


def test_weights_of_a_transposed_convolution_go_by_output_within_each_group() -> None:
    """Two groups of two inputs and three outputs, one tap: (4, 3) becomes (2, 3, 2)."""
    weight = np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1)
    payload = deconv_payload(Weights(weight, np.zeros(6, np.float32)), 2)
    assert payload.weight is not None
    assert payload.weight.tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_numbers_of_norms_and_slopes() -> None:
    ones, none = np.ones(6, np.float32), np.zeros(0, np.float32)
    norm = Node("x", "group_norm", ("a",), (6, 2, 2), None, Grouping(3, 1e-3), Weights(ones, ones))
    assert operation_type(norm) == ("GroupNorm", {0: 3, 1: 6, 2: 1e-3, 3: 1})
    slopes = Node("x", "prelu", ("a",), (6, 2, 2), constants=Weights(ones, none))
    assert operation_type(slopes) == ("PReLU", {0: 6})


def test_a_scale_has_no_tag() -> None:
    weights = Weights(np.ones(3, np.float32), np.zeros(3, np.float32))
    node = Node("x", "scale", ("a",), (3, 2, 2), constants=weights)
    assert operation_type(node) == ("Scale", {0: 3, 1: 1})
    payload = constant_payload(node)
    assert payload is not None and payload.tag is None
    assert constant_payload(Node("x", "relu", ("a",), (3, 2, 2))) is None
