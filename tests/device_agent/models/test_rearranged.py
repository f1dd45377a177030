from __future__ import annotations

import pytest

from device_agent.models.rearranged import Shape
from device_agent.models.shapes import output_shape
from quant.errors import FormatError
from quant.ncnn.format import NcnnLayer, Value


def layer(type_: str, params: dict[int, Value]) -> NcnnLayer:
    return NcnnLayer(type_, "x", ("a",), ("b",), params)


def crop(start: int, end: int) -> NcnnLayer:
    return layer("Crop", {9: (start,), 10: (end,), 11: (0,)})


IMAGE = (6, 4, 5)
PIXEL: dict[int, Value] = {0: 1, 1: 1, 2: 6}


@pytest.mark.parametrize(
    ("found", "inputs", "expected"),
    [
        (layer("BinaryOp", {0: 2}), [IMAGE, IMAGE], IMAGE),
        (layer("BinaryOp", {0: 2}), [IMAGE, (6, 1, 1)], IMAGE),
        (layer("BinaryOp", {0: 2}), [(6, 1, 1), (6, 1, 1)], (6, 1, 1)),
        (layer("Concat", {0: 0}), [IMAGE, (2, 4, 5), IMAGE], (14, 4, 5)),
        (layer("Concat", {0: 0}), [(3,), (4,)], (7,)),
        (crop(0, 5), [IMAGE], (5, 4, 5)),
        (crop(2, 6), [(6,)], (4,)),
        (layer("Reshape", {0: -1}), [IMAGE], (120,)),
        (layer("Reshape", {0: -1}), [(6,)], (6,)),
        (layer("Reshape", PIXEL), [(6,)], (6, 1, 1)),
        (layer("Scale", {0: 6}), [IMAGE], IMAGE),
        (layer("Scale", {0: 6}), [(6,)], (6,)),
        (layer("PReLU", {0: 6}), [(6,)], (6,)),
        (layer("GroupNorm", {0: 3, 1: 6}), [IMAGE], IMAGE),
        (layer("BinaryOp", {0: 2}), [IMAGE, (1, *IMAGE[1:])], IMAGE),
        (layer("Reduction", {0: 3}), [IMAGE], (1, *IMAGE[1:])),
        (layer("BinaryOp", {0: 3}), [IMAGE, (6, 1, 5)], IMAGE),
        (layer("BinaryOp", {0: 3}), [IMAGE, (6, 4, 1)], IMAGE),
        (layer("Concat", {0: 1}), [IMAGE, (6, 2, 5)], (6, 6, 5)),
        (layer("Crop", {9: (1,), 10: (3,), 11: (1,)}), [IMAGE], (6, 2, 5)),
        (layer("Reorg", {0: 2}), [(6, 4, 10)], (24, 2, 5)),
        (layer("Padding", {0: 1, 1: 2, 2: 3, 3: 4, 4: 2}), [IMAGE], (6, 7, 12)),
        (layer("Padding", {0: 9, 1: 9, 2: 9, 3: 9, 4: 1}), [IMAGE], (6, 22, 23)),
        (layer("LRN", {1: 3}), [IMAGE], IMAGE),
        (layer("ShuffleChannel", {0: 3}), [IMAGE], IMAGE),
        (layer("Interp", {0: 1, 1: 2.0, 2: 3.0}), [IMAGE], (6, 8, 15)),
        (layer("Interp", {0: 1, 3: 3, 4: 7}), [IMAGE], (6, 3, 7)),
        (layer("HardSwish", {}), [IMAGE], IMAGE),
    ],
)
def test_shapes(found: NcnnLayer, inputs: list[Shape], expected: Shape) -> None:
    assert output_shape(found, inputs) == expected


@pytest.mark.parametrize(
    ("found", "inputs", "cause"),
    [
        (layer("BinaryOp", {0: 2}), [IMAGE, (6,)], "joins shapes"),
        (layer("BinaryOp", {0: 2}), [(6, 1, 1), IMAGE], "joins shapes"),
        (layer("BinaryOp", {0: 2}), [(6,), (6, 1, 1)], "joins shapes"),
        (layer("Concat", {0: 0}), [IMAGE, (6, 5, 4)], "joins shapes"),
        (layer("Concat", {0: 0}), [(6,), (6, 1, 1)], "joins shapes"),
        (crop(0, 6), [IMAGE], "channels 0 to 6 are no part of 6 channels"),
        (crop(3, 3), [IMAGE], "channels 3 to 3 are no part"),
        (crop(3, 7), [IMAGE], "channels 3 to 7 are no part"),
        (layer("Reshape", {0: -1, 1: 1}), [IMAGE], "a Reshape gives a vector"),
        (layer("Reshape", {0: 1, 1: 1, 2: 5}), [(6,)], "an image of 6 numbers"),
        (layer("Reshape", {0: -1, 1: 1, 2: 6}), [(6,)], "a Reshape gives a vector"),
        (layer("Scale", {0: 5}), [IMAGE], "x scales 5 channels, but reads 6"),
        (layer("PReLU", {0: 1}), [IMAGE], "x scales 1 channels, but reads 6"),
        (layer("GroupNorm", {0: 4, 1: 6}), [IMAGE], "x norms 6 channels in 4 groups"),
        (layer("GroupNorm", {0: 1, 1: 5}), [IMAGE], "x norms 5 channels in 1 groups, but reads 6"),
        (layer("PixelShuffle", {0: 2}), [IMAGE], "6 channels make no squares of 2"),
        (layer("BinaryOp", {0: 2}), [IMAGE, (6, 4, 2)], "joins shapes"),
        (layer("Reorg", {0: 2}), [IMAGE], "4x5 pixels are no squares of 2"),
        (layer("Padding", {0: 4, 1: 0, 2: 0, 3: 0, 4: 2}), [IMAGE], "mirrors more pixels than 4x5"),
        (layer("Padding", {0: 0, 1: 0, 2: 0, 3: 5, 4: 2}), [IMAGE], "mirrors more pixels than 4x5"),
        (layer("LRN", {1: 4}), [IMAGE], "sums 4 channels, an even number"),
        (layer("ShuffleChannel", {0: 4}), [IMAGE], "4 groups do not divide 6 channels"),
        (layer("ShuffleChannel", {0: 3}), [(6,)], "needs an image, not a vector"),
        (layer("Interp", {0: 1, 1: 2.5, 2: 3.0}), [IMAGE], "by whole factors only"),
        (layer("Interp", {0: 1, 1: 2.0}), [IMAGE], "Interp needs parameter 2"),
        (layer("Interp", {0: 1, 1: 2.0, 2: 2.0, 4: 3}), [IMAGE], "Interp needs parameter 3"),
        (layer("Interp", {0: 1, 1: 2.0, 2: 3.0}), [(6,)], "needs an image"),
    ],
)
def test_what_does_not_fit_is_refused(found: NcnnLayer, inputs: list[Shape], cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        output_shape(found, inputs)
