from __future__ import annotations

import pytest

from device_agent.models.params import check_params
from device_agent.models.rearranged import Shape
from device_agent.models.shapes import check_shapes, given_shape, operations, output_shape
from device_agent.models.wiring import check_wiring
from quant.errors import FormatError
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer, Value

IMAGE = (6, 4, 5)


def layer(type_: str, params: dict[int, Value], inputs: tuple[str, ...] = ("a",)) -> NcnnLayer:
    return NcnnLayer(type_, "x", inputs, ("b",), params)


@pytest.mark.parametrize(
    ("found", "inputs", "expected"),
    [
        (layer("Permute", {0: 1}), [IMAGE], (6, 5, 4)),
        (layer("Permute", {0: 3}), [IMAGE], (4, 5, 6)),
        (layer("Permute", {0: 4}), [(4, 5, 6)], IMAGE),
        (layer("Softmax", {0: 2, 1: 1}), [IMAGE], IMAGE),
        (layer("GELU", {0: 0}), [IMAGE], IMAGE),
        (layer("LayerNorm", {0: 5, 1: 1e-6, 2: 1}), [IMAGE], IMAGE),
        (layer("LayerNorm", {0: 8, 1: 1e-6, 2: 1}), [(8,)], (8,)),
        (layer("MatMul", {}), [(3, 4, 5), (3, 5, 2)], (3, 4, 2)),
        (layer("MatMul", {0: 1}), [(3, 4, 5), (3, 2, 5)], (3, 4, 2)),
        (layer("BinaryOp", {0: 2, 1: 1, 2: 0.5}), [IMAGE], IMAGE),
        (layer("Concat", {0: 2}), [(6, 1, 2), (6, 1, 5)], (6, 1, 7)),
        (layer("Crop", {9: (1,), 10: (3,), 11: (2,)}), [IMAGE], (6, 4, 2)),
        (layer("Reshape", {0: 10, 1: 4, 2: 3}), [IMAGE], (3, 4, 10)),
    ],
)
def test_shapes(found: NcnnLayer, inputs: list[Shape], expected: Shape) -> None:
    check_params(found)
    assert output_shape(found, inputs) == expected


@pytest.mark.parametrize(
    ("found", "inputs", "cause"),
    [
        (
            layer("LayerNorm", {0: 6, 1: 1e-6, 2: 1}),
            [IMAGE],
            "norms rows of 6, but reads rows of 5",
        ),
        (layer("MatMul", {}), [(3, 4, 5), (3, 4, 5)], "x multiplies shapes"),
        (layer("MatMul", {}), [(3, 4, 5), (2, 5, 4)], "x multiplies shapes"),
        (layer("MatMul", {}), [(5,), (5,)], "x multiplies shapes"),
        (layer("Permute", {0: 1}), [(5,)], "needs an image, not a vector"),
        (layer("Concat", {0: 2}), [(6, 1, 2), (5, 1, 2)], "joins shapes"),
        (layer("Concat", {0: 2}), [(6,), (6,)], "joins shapes"),
        (layer("Crop", {9: (1,), 10: (9,), 11: (2,)}), [IMAGE], "pixels 1 to 9 are no part of 5"),
        (layer("Crop", {9: (1,), 10: (2,), 11: (1,)}), [(6,)], "cuts axis 1"),
        (layer("Reshape", {0: 10, 1: 4, 2: 4}), [IMAGE], "an image of 120 numbers"),
    ],
)
def test_what_does_not_fit_is_refused(found: NcnnLayer, inputs: list[Shape], cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        output_shape(found, inputs)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (layer("Permute", {0: 2}), "not one of 1, 3, 4"),
        (layer("Softmax", {0: 0, 1: 1}), "axis"),
        (layer("Softmax", {0: 2}), "is missing"),
        (layer("LayerNorm", {0: 5, 1: 1e-6, 2: 0}), "weights"),
        (layer("MemoryData", {0: 5, 1: 1}), "channels. is missing"),
        (layer("MemoryData", {0: 5, 1: 0, 2: 1}), "height"),
        (layer("GELU", {0: 1}), "by tanh"),
        (layer("BinaryOp", {0: 2, 1: 1, 2: 1}), "number. is 1, not a float"),
    ],
)
def test_parameters_out_of_bounds_are_refused(found: NcnnLayer, cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        check_params(found)


def test_numbers_of_the_file_and_operations_of_a_product() -> None:
    numbers = layer("MemoryData", {0: 5, 1: 4, 2: 6}, ())
    assert given_shape(numbers, (3, 8, 8)) == IMAGE
    product = layer("MatMul", {}, ("a", "c"))
    assert operations(product, [(3, 4, 5), (3, 5, 2)], (3, 4, 2)) == 3 * 4 * 5 * 2


def test_a_product_is_limited_by_its_operations() -> None:
    head = NcnnLayer("Input", "input", (), ("in0",))
    wide = [
        NcnnLayer("Convolution", "c", ("in0",), ("q",), {0: 1, 1: 1, 5: 0, 6: 1}),
        NcnnLayer("Split", "s", ("q",), ("q0", "q1")),
        NcnnLayer("MatMul", "m", ("q0", "q1"), ("out0",)),
    ]
    with pytest.raises(FormatError, match="multiplications up to it"):
        check_shapes([head, *wide], (1, 4096, 4096))


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (layer("MatMul", {}), "takes 2 inputs"),
        (layer("MemoryData", {0: 1, 1: 1, 2: 1}), "takes 0 inputs"),
        (layer("BinaryOp", {0: 2, 1: 1, 2: 0.5}, ("a", "c")), "takes 1 inputs"),
    ],
)
def test_wrong_numbers_of_inputs_are_refused(found: NcnnLayer, cause: str) -> None:
    first = NcnnLayer("Input", "input", (), ("in0",))
    other = NcnnLayer("Convolution", "c", ("in0",), ("a",), {0: 1, 1: 1, 6: 3})
    with pytest.raises(FormatError, match=cause):
        check_wiring([first, other, found])


def test_a_number_is_not_joined_with_the_image_itself() -> None:
    first = NcnnLayer("Input", "input", (), ("in0",))
    scaled = NcnnLayer("BinaryOp", "half", ("in0",), ("a",), {0: 2, 1: 1, 2: 0.5})
    last = NcnnLayer("Convolution", "c", ("a",), ("out0",), {0: 1, 1: 1, 6: 3})
    with pytest.raises(FormatError, match="cannot read the image itself"):
        check_wiring([first, scaled, last])


def test_a_transformer_is_accepted_as_it_is_written() -> None:
    pytest.importorskip("torch")
    from tests.quant.blocks import block

    known = block("transformer")
    layers = float_layers(known.network)
    for found in layers:
        check_params(found)
    check_wiring(layers)
    assert check_shapes(layers, (3, 16, 12)) == (10,)
