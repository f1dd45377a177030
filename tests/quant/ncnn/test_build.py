from __future__ import annotations

import numpy as np
import pytest
import torch

from quant.errors import PolicyError
from quant.float_net import FloatNet
from quant.graph import Layer
from quant.kmeans import KMeansQuantizer
from quant.ncnn.build import (
    blob_names,
    dump,
    float_layers,
    input_scales,
    mixed_layers,
    shared_layers,
    structure,
    weighted_type,
)
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import TAG_CODEBOOK, TAG_FP16, TAG_FP32, TAG_INT8, NcnnLayer, Payload
from quant.ncnn.runtime import Engine
from quant.policy import Bits, uniform
from quant.shared import to_network
from tests.quant.ncnn.small_network import (
    NAMES,
    RANGES,
    bits_of,
    classifier_graph,
    residual_graph,
    with_weights,
)
from tests.quant.networks import KINDS, case

BOARD = Capabilities()


def small_layers() -> list[NcnnLayer]:
    return float_layers(with_weights(residual_graph()))


def payload(layers: list[NcnnLayer], name: str) -> Payload:
    found = next(layer.payload for layer in layers if layer.name == name)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_float_network_equals_torch(kind: str) -> None:
    known = case(kind)
    engine = Engine.from_memory(*dump(float_layers(known.network)))
    with torch.no_grad():
        expected = known.module(known.images).numpy()
    ours = np.stack([engine.run(image) for image in known.images.numpy()])
    assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


def test_every_reader_of_a_shared_blob_has_a_copy() -> None:
    layers = structure(residual_graph())
    assert [(layer.type, layer.inputs, layer.outputs) for layer in layers] == [
        ("Input", (), ("in0",)),
        ("Convolution", ("in0",), ("first",)),
        ("Split", ("first",), ("first_copy0", "first_copy1")),
        ("ConvolutionDepthWise", ("first_copy0",), ("depthwise",)),
        ("Convolution", ("depthwise",), ("second",)),
        ("BinaryOp", ("first_copy1", "second"), ("sum",)),
        ("Convolution", ("sum",), ("out0",)),
    ]


def test_ends_have_the_names_that_the_engine_knows() -> None:
    assert blob_names(classifier_graph()) == {
        "image": "in0",
        "first": "first",
        "pool": "pool",
        "last": "out0",
    }


def test_the_structure_is_the_network_without_weights() -> None:
    bare = [(x.type, x.name, x.inputs, x.outputs, x.params) for x in structure(residual_graph())]
    full = [(x.type, x.name, x.inputs, x.outputs, x.params) for x in small_layers()]
    assert bare == full
    assert all(layer.payload is None for layer in structure(residual_graph()))


def test_parameters_of_a_convolution() -> None:
    layer = Layer(*("c", "conv", 4, 8, (3, 5), (1, 2), (6, 7, 8, 9), (10, 11)), activation="relu6")
    kind, params = weighted_type(layer)
    assert kind == "Convolution"
    assert params == {
        **{0: 8, 1: 5, 11: 3, 2: 11, 12: 10, 3: 2, 13: 1, 4: 6, 14: 8, 15: 7, 16: 9},
        **{5: 1, 6: 8 * 4 * 15, 9: 3, 10: (0.0, 6.0)},
    }


def test_parameters_of_a_grouped_convolution() -> None:
    layer = Layer("c", "conv", 8, 12, groups=4, activation="relu")
    kind, params = weighted_type(layer)
    assert kind == "ConvolutionDepthWise"
    assert (params[7], params[6], params[9]) == (4, 24, 1)


def test_parameters_of_a_linear_layer() -> None:
    kind, params = weighted_type(Layer("l", "linear", 32, 10))
    assert (kind, params) == ("InnerProduct", {0: 10, 1: 1, 2: 320})


def test_weights_at_their_bits() -> None:
    layers = mixed_layers(small_layers(), bits_of(8, 16, 32, 8), RANGES, BOARD)
    tags = {name: payload(layers, name).tag for name in NAMES}
    assert tags == {"first": TAG_INT8, "depthwise": TAG_FP16, "second": TAG_FP32, "last": TAG_INT8}


def test_fewer_bits_are_fewer_bytes() -> None:
    sizes = [
        len(dump(mixed_layers(small_layers(), bits_of(b, b, b, b), RANGES, BOARD))[1])
        for b in (8, 16, 32)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


def test_scale_terms_and_scales() -> None:
    """Only the depthwise layer is requantized: it alone has one reader, an int8 convolution.

    That one pads nothing on, so the input is centred, with steps half as wide.
    """
    layers = mixed_layers(small_layers(), bits_of(8, 8, 8, 8), RANGES, BOARD)
    terms = {layer.name: layer.integer(8) for layer in layers if layer.is_weighted}
    assert terms == {"first": 2, "depthwise": 101, "second": 2, "last": 2}
    for name in NAMES:
        int8 = payload(layers, name).int8
        assert int8 is not None
        levels = np.float32(254 if name == "second" else 127)
        assert int8.input_scale == float(levels / np.float32(RANGES[name]))
        expected = payload(layers, "second").int8 if name == "depthwise" else None
        assert int8.output_scale == (expected.input_scale if expected else None)


def test_a_linear_layer_at_8_bits() -> None:
    layers = float_layers(with_weights(classifier_graph()))
    bits, ranges = {"first": 8, "last": 8}, {"first": 1.0, "last": 2.0}
    found = mixed_layers(layers, bits, ranges, BOARD)
    assert {x.name: x.integer(8) for x in found if x.is_weighted} == {"first": 2, "last": 2}


def test_32_bits_change_nothing() -> None:
    layers = small_layers()
    assert mixed_layers(layers, bits_of(32, 32, 32, 32), {}, BOARD) == layers


def test_the_float_layers_are_left_alone() -> None:
    layers = small_layers()
    before = dump(layers)
    mixed_layers(layers, bits_of(8, 16, 8, 16), RANGES, BOARD)
    assert dump(layers) == before


def test_policies_that_do_not_fit() -> None:
    layers = structure(residual_graph())
    bits = bits_of(8, 8, 8, 8)
    with pytest.raises(PolicyError, match="no bits for layer second"):
        input_scales(layers, {n: 8 for n in NAMES if n != "second"}, RANGES)
    with pytest.raises(PolicyError, match="no layer other"):
        input_scales(layers, {**bits, "other": 8}, RANGES)
    with pytest.raises(PolicyError, match="layer last has 8 bits but no activation range"):
        input_scales(layers, bits, {n: 1.0 for n in NAMES if n != "last"})


def test_ranges_are_needed_for_int8_layers_only() -> None:
    scales = input_scales(structure(residual_graph()), bits_of(8, 32, 16, 32), {"first": 2.0})
    assert scales == {"first": 63.5}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_codebooks_equal_the_shared_weights_in_torch(kind: str, bits: int) -> None:
    known = case(kind)
    graph = known.network.graph
    shared = KMeansQuantizer(known.network).shared(uniform(graph.layer_names, bits, 32))
    engine = Engine.from_memory(*dump(shared_layers(graph, shared)))
    expected = FloatNet(to_network(graph, shared)).logits(known.images).numpy()
    ours = np.stack([engine.run(image) for image in known.images.numpy()])
    assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


def test_float_layers_stay_beside_codebooks() -> None:
    known = case("mobile")
    graph = known.network.graph
    policy = uniform(graph.layer_names, 2, 32).replace("stem.0", Bits(32, 32))
    layers = shared_layers(graph, KMeansQuantizer(known.network).shared(policy))
    tags = {layer.name: layer.payload.tag for layer in layers if layer.payload}
    assert tags.pop("stem.0") == TAG_FP32
    assert set(tags.values()) == {TAG_CODEBOOK}
