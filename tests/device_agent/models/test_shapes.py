from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from device_agent.models.attention import memory_shape
from device_agent.models.rearranged import Shape
from device_agent.models.shapes import MAX_ELEMENTS, MAX_ROW, check_shapes, output_shape
from quant.errors import FormatError
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer, Value
from tests.device_agent.small_network import SHAPE, small_layers
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case


def conv(params: dict[int, Value]) -> NcnnLayer:
    type_ = "ConvolutionDepthWise" if 7 in params else "Convolution"
    return NcnnLayer(type_, "c", ("in0",), ("x",), params)


def pool(params: dict[int, Value]) -> NcnnLayer:
    return NcnnLayer("Pooling", "p", ("in0",), ("x",), params)


def linear(outputs: int, inputs: int) -> NcnnLayer:
    return NcnnLayer("InnerProduct", "l", ("in0",), ("out0",), {0: outputs, 2: outputs * inputs})


def deconv(params: dict[int, Value]) -> NcnnLayer:
    type_ = "DeconvolutionDepthWise" if 7 in params else "Deconvolution"
    return NcnnLayer(type_, "d", ("in0",), ("x",), params)


def plain(type_: str) -> NcnnLayer:
    return NcnnLayer(type_, "x", ("in0",), ("x",))


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_of_traced_networks(kind: str) -> None:
    network = case(kind).network
    expected = {node.name: node.shape for node in network.graph.nodes}
    shapes: dict[str, Shape] = {"in0": network.graph.input_shape}
    for layer in float_layers(network)[1:]:
        found = output_shape(layer, [shapes[blob] for blob in layer.inputs])
        shapes.update(dict.fromkeys(layer.outputs, found))
        if layer.type != "Split":
            name = layer.name
            assert found == expected[name] or (*found, 1, 1) == expected[name]


side, kernel, step, pad = (
    *(st.integers(1, 12), st.integers(1, 5)),
    *(st.integers(1, 3), st.integers(0, 4)),
)


@given(side, side, kernel, kernel, step, step, st.tuples(pad, pad, pad, pad), st.integers(1, 3))
@settings(deadline=None)
def test_sides_of_a_convolution_are_those_of_torch(
    h: int, w: int, kh: int, kw: int, stride: int, dilation: int, pads: Sequence[int], groups: int
) -> None:
    left, right, top, bottom = pads
    params: dict[int, Value] = {
        **{0: 2 * groups, 1: kw, 11: kh, 2: dilation, 3: stride, 6: 2 * groups * kh * kw},
        **{4: left, 15: right, 14: top, 16: bottom},
    }
    layer = conv({**params, 7: groups} if groups > 1 else params)
    image = F.pad(torch.zeros(1, groups, h, w), (left, right, top, bottom))
    try:
        weight = torch.zeros(2 * groups, 1, kh, kw)
        out = F.conv2d(image, weight, stride=stride, dilation=dilation, groups=groups)
    except RuntimeError:
        with pytest.raises(FormatError, match="does not fit"):
            output_shape(layer, [(groups, h, w)])
        return
    assert output_shape(layer, [(groups, h, w)]) == tuple(out.shape[1:])


@given(side, side, kernel, kernel, step, pad, pad)
@settings(deadline=None)
def test_sides_of_a_pooling_are_those_of_torch(
    h: int, w: int, kh: int, kw: int, stride: int, pad_h: int, pad_w: int
) -> None:
    assume(2 * pad_h <= kh and 2 * pad_w <= kw)
    layer = pool({0: 0, 1: kw, 11: kh, 2: stride, 3: pad_w, 13: pad_h, 5: 1})
    try:
        out = F.max_pool2d(torch.zeros(1, 3, h, w), (kh, kw), stride, (pad_h, pad_w))
    except RuntimeError:
        with pytest.raises(FormatError, match="does not fit"):
            output_shape(layer, [(3, h, w)])
        return
    assert output_shape(layer, [(3, h, w)]) == tuple(out.shape[1:])


@given(
    *(side, side, kernel, kernel, step, step),
    st.tuples(pad, pad, st.integers(0, 2)),
    st.integers(1, 3),
)
@settings(deadline=None)
def test_sides_of_a_transposed_convolution_are_those_of_torch(
    h: int,
    w: int,
    kh: int,
    kw: int,
    stride: int,
    dilation: int,
    pads: Sequence[int],
    groups: int,
) -> None:
    pad_h, pad_w, more = pads
    assume(more < stride)
    params: dict[int, Value] = {
        **{0: 2 * groups, 1: kw, 11: kh, 2: dilation, 3: stride, 6: 2 * groups * kh * kw},
        **{4: pad_w, 14: pad_h, 18: more, 19: more},
    }
    type_ = "DeconvolutionDepthWise" if groups > 1 else "Deconvolution"
    layer = NcnnLayer(type_, "d", ("in0",), ("x",), {**params, 7: groups} if groups > 1 else params)
    try:
        weight = torch.zeros(groups, 2, kh, kw)
        image = torch.zeros(1, groups, h, w)
        out = F.conv_transpose2d(
            image, weight, None, stride, (pad_h, pad_w), more, groups, dilation
        )
    except RuntimeError:
        with pytest.raises(FormatError, match="its pads cut all of its output"):
            output_shape(layer, [(groups, h, w)])
        return
    assume(out.numel())
    assert output_shape(layer, [(groups, h, w)]) == tuple(out.shape[1:])


@pytest.mark.parametrize("kind", BLOCKS)
def test_shapes_of_traced_blocks(kind: str) -> None:
    network = block(kind).network
    expected = {node.name: node.shape for node in network.graph.nodes}
    shapes: dict[str, Shape] = {"in0": network.graph.input_shape}
    for layer in float_layers(network)[1:]:
        inputs = [shapes[blob] for blob in layer.inputs]
        found = output_shape(layer, inputs) if inputs else memory_shape(layer)
        shapes.update(dict.fromkeys(layer.outputs, found))
        wanted = expected.get(layer.outputs[0], found)
        assert found == wanted or (*found, 1, 1) == wanted


def test_other_shapes() -> None:
    assert output_shape(pool({0: 1, 4: 1}), [(5, 3, 3)]) == (5,)
    assert output_shape(linear(7, 24), [(2, 3, 4)]) == (7,)
    assert output_shape(plain("ReLU"), [(2, 3, 4)]) == (2, 3, 4)
    assert output_shape(plain("BinaryOp"), [(9,), (9,)]) == (9,)


@pytest.mark.parametrize(
    ("layer", "inputs", "cause"),
    [
        (conv({0: 16, 1: 3, 6: 432}), [(1, 9, 9)], "c has 432 weights, but 16 outputs from 1 inp"),
        (conv({0: 16, 1: 3, 11: 1, 6: 432}), [(3, 9, 9)], "a 1x3 kernel take 144"),
        (conv({0: 8, 1: 3, 6: 72}), [(1, 2, 9)], "3x3 kernel does not fit an input of 2x9"),
        (conv({0: 8, 1: 2, 2: 9, 6: 32}), [(1, 9, 9)], "does not fit"),
        (conv({0: 8, 1: 1, 6: 8, 7: 3}), [(4, 9, 9)], "3 groups do not divide 4 input and 8"),
        (conv({0: 9, 1: 1, 6: 8, 7: 4}), [(4, 9, 9)], "4 groups do not divide"),
        (conv({0: 8, 1: 1, 6: 8}), [(8,)], "Convolution needs an image, not a vector"),
        (pool({0: 0, 1: 2, 5: 1}), [(8,)], "Pooling needs an image"),
        (pool({0: 0, 5: 1}), [(8, 4, 4)], "needs a kernel"),
        (pool({0: 1, 7: 1, 8: 3}), [(8, 4, 4)], "Pooling needs parameter 18"),
        (pool({0: 0, 1: 2}), [(8, 4, 4)], "needs a kernel .1=. and pad mode 1"),
        (pool({0: 0, 1: 2, 3: 2, 5: 1}), [(8, 4, 4)], "padding must be less than its kernel"),
        (pool({0: 0, 1: 5, 5: 1}), [(8, 4, 4)], "does not fit"),
        (linear(10, 24), [(2, 3, 5)], "10 outputs from 30 inputs take 300"),
        (linear(1, MAX_ROW + 1), [(MAX_ROW + 1,)], "131073 weights for one output, the limit is"),
        (plain("BinaryOp"), [(8, 1, 1), (8, 4, 4)], "joins shapes"),
        (plain("BinaryOp"), [(8, 4, 4), (4, 1, 1)], "joins shapes"),
        (plain("BinaryOp"), [(8, 4, 4), (8,)], "joins shapes"),
        (conv({0: 1, 1: 1, 6: 1, 4: 1024}), [(1, 4000, 4000)], "numbers in its padded input"),
        (conv({0: 1, 1: 100, 6: 10_000}), [(1, 3000, 3000)], "numbers to unfold"),
        (deconv({0: 4, 1: 3, 6: 71}), [(2, 4, 4)], "d has 71 weights, but 4 outputs"),
        (deconv({0: 4, 1: 3, 6: 72, 7: 3}), [(2, 4, 4)], "3 groups do not divide 2 input"),
        (deconv({0: 4, 1: 3, 6: 72, 4: 3}), [(2, 4, 4)], "pads cut all of its output"),
        (deconv({0: 9, 1: 99, 6: 176418}), [(2, 99, 99)], "numbers to fold"),
        (deconv({0: 9, 1: 1, 6: 18, 3: 99}), [(2, 99, 99)], "numbers before its pads are cut"),
        (deconv({0: 4, 1: 1, 6: 8}), [(2,)], "needs an image, not a vector"),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    layer: NcnnLayer, inputs: list[Shape], cause: str
) -> None:
    with pytest.raises(FormatError, match=cause):
        output_shape(layer, inputs)


def network(*layers: NcnnLayer) -> list[NcnnLayer]:
    return [NcnnLayer("Input", "input", (), ("in0",)), *layers]


def test_the_small_network_gives_logits() -> None:
    assert check_shapes(small_layers(), SHAPE) == (10,)


def test_a_network_may_give_logits_of_every_pixel() -> None:
    relu = NcnnLayer("ReLU", "r", ("in0",), ("out0",))
    assert check_shapes(network(relu), (3, 4, 5)) == (3, 4, 5)


@pytest.mark.parametrize(
    ("layers", "shape", "cause"),
    [
        (small_layers(), (1, 16, 16), "stem has 432 weights"),
        (network(), (3, 8192, 8192), f"the limit is {MAX_ELEMENTS}"),
        (
            network(NcnnLayer("Split", "s", ("in0",), tuple(map(str, range(9))))),
            (1, 4096, 4096),
            "numbers in all outputs up to it",
        ),
        (
            network(
                NcnnLayer("Convolution", "c", ("in0",), ("a",), {0: 64, 1: 1, 6: 64 * 64}),
                *(
                    NcnnLayer("Convolution", f"c{i}", (a,), (b,), {0: 64, 1: 11, 4: 5, 6: 495616})
                    for i, (a, b) in enumerate([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])
                ),
            ),
            (64, 120, 120),
            "multiplications up to it",
        ),
    ],
)
def test_networks_over_a_limit_are_refused(
    layers: list[NcnnLayer], shape: tuple[int, int, int], cause: str
) -> None:
    with pytest.raises(FormatError, match=cause):
        check_shapes(layers, shape)
