from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.fake_quant import multiply_rounded
from quant.float_net import activate, apply_layer
from quant.graph import Floats, Graph, Layer, Network, Node
from quant.ncnn.build import blob_names, dump, float_layers
from quant.ncnn.runtime import Engine
from quant.ncnn.simulate import simulated_layers
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers, quantized_product
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case

NEAR_HALF = 1e-4
"""Levels that float32 may round to either side."""
TOLERANCE = 1e-5
Doubles = NDArray[np.float64]


def random_layers(network: Network, seed: int) -> dict[str, QuantizedLayer]:
    """Every layer with bits, scales, spread and offset of its own; many inputs get clipped."""
    rng = np.random.default_rng(seed)
    return {
        layer.name: random_product(rng)
        if layer.is_product
        else random_layer(layer, network.weights[layer.name].bias, rng)
        for layer in network.graph.layers
    }


def random_product(rng: np.random.Generator) -> QuantizedLayer:
    """Levels of one of its values, of both or of none."""
    highs = rng.integers(1, 128, 2)
    levels = [
        InputLevels(float(high / rng.uniform(0.3, 6)), -high, high) for high in highs.tolist()
    ]
    first, second = (found if rng.random() < 0.8 else None for found in levels)
    return quantized_product(first, second)


def random_layer(layer: Layer, bias: Floats, rng: np.random.Generator) -> QuantizedLayer:
    levels = random_levels(layer, rng) if rng.random() < 0.8 else None
    if rng.random() < 0.2:
        weight = rng.normal(0, 0.2, layer.weight_shape).astype(np.float32)
        return QuantizedLayer(weight, None, bias, levels)
    high = 2 ** int(rng.integers(1, 8)) - 1
    weight = rng.integers(-high, high + 1, layer.weight_shape).astype(np.float32)
    scale = (high * rng.uniform(1, 8, layer.c_out)).astype(np.float32)
    return QuantizedLayer(weight, scale, bias, levels)


def random_levels(layer: Layer, rng: np.random.Generator) -> InputLevels:
    bits, signed = int(rng.integers(2, 9)), rng.random() < 0.5
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    scale = float(high / rng.uniform(0.3, 6))
    spread = rng.uniform(0.2, 3, layer.c_in).astype(np.float32) if rng.random() < 0.5 else None
    padded = any(layer.pads) or rng.random() < 0.5
    offset = None if padded else rng.uniform(-1, 1, layer.c_in).astype(np.float32)
    return InputLevels(scale, -high if signed else 0, high, spread, offset)


def exact_levels(x: Doubles, levels: InputLevels) -> Doubles:
    """(x - offset) * scale / spread, neither rounded nor clipped."""
    channels = (-1, *[1] * (x.ndim - 1))
    offset = 0 if levels.offset is None else levels.offset.reshape(channels)
    spread = 1 if levels.spread is None else levels.spread.reshape(channels)
    return (x - offset) * levels.scale / spread


def check_levels(found: Floats, x: Doubles, levels: InputLevels) -> None:
    exact = exact_levels(x, levels)
    expected = np.clip(np.sign(exact) * np.floor(np.abs(exact) + 0.5), levels.low, levels.high)
    clear = np.abs(exact % 1 - 0.5) > NEAR_HALF
    assert clear.mean() > 0.8
    assert np.array_equal(found[clear], expected[clear])
    assert np.abs(found - expected).max() <= 1


def sums(q: Floats, layer: Layer, quantized: QuantizedLayer) -> torch.Tensor:
    """What a layer computes before its activation, in float64."""
    y = apply_layer(
        layer,
        torch.from_numpy(q).double()[None],
        torch.from_numpy(quantized.weight).double(),
        None,
    )
    scale = torch.ones(layer.c_out, dtype=torch.float64)
    if quantized.weight_scale is not None:
        scale = torch.from_numpy(quantized.weight_scale).double()
    if quantized.input is not None:
        scale = scale * quantized.input.scale
    shape = (1, -1, *[1] * (y.ndim - 2))
    return y / scale.reshape(shape) + torch.from_numpy(quantized.bias).double().reshape(shape)


def check_network(network: Network, layers: QuantizedLayers, image: Floats) -> None:
    """Every layer against the formulas, fed with ncnn's own input.

    What a layer scales and clips itself is checked where it has become levels.
    """
    graph, names = network.graph, blob_names(network.graph)
    made = simulated_layers(graph, layers)
    there = {blob for layer in made for blob in layer.outputs}
    engine = Engine.from_memory(*dump(made))
    weighted = graph.weighted_names
    wanted = [*names.values(), *(f"{n}_levels" for n in weighted if layers[n].input)]
    blobs = engine.blobs(image, [name for name in wanted if name in there])
    values: dict[str, Doubles] = {graph.nodes[0].name: image.astype(np.float64)}
    for node in graph.nodes:
        blob = names[node.name]
        if node.layer is not None and node.layer.is_product:
            read = (torch.from_numpy(values[name].astype(np.float32)) for name in node.inputs)
            one, other = (value[None] for value in read)
            product = multiply_rounded(node.layer, one, other, layers[node.name])[0].numpy()
            # A value in the middle of two levels, to float32's digits, may become either of them.
            error = np.abs(blobs[blob] - product)
            assert (error <= TOLERANCE * max(1.0, np.abs(product).max())).mean() > 0.99
        elif node.layer is not None:
            layer, x = layers[node.name], values[node.inputs[0]]
            if layer.input is not None:
                levels = blobs[f"{node.name}_levels"]
                check_levels(levels, x.reshape(levels.shape), layer.input)
                x = levels.astype(np.float64)
            y = sums(x.astype(np.float32), node.layer, layer)
            # Before the activation: float32 sums lose what is small beside their terms.
            allowed = TOLERANCE * max(1.0, float(y.abs().max()))
            values[node.name] = activate(y, node.layer.activation)[0].numpy()
            if blob in blobs:
                assert np.abs(blobs[blob] - values[node.name]).max() <= allowed
        if blob in blobs:
            values[node.name] = blobs[blob].reshape(node.shape).astype(np.float64)
    assert np.array_equal(engine.run(image), blobs[names[graph.nodes[-1].name]])


@pytest.mark.parametrize("kind", [*KINDS, *BLOCKS])
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_every_layer_computes_its_formula(kind: str, seed: int) -> None:
    known = block(kind) if kind in BLOCKS else case(kind)
    check_network(known.network, random_layers(known.network, seed), known.images[0].numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_weights_alone_and_inputs_alone(kind: str) -> None:
    known = case(kind)
    layers = random_layers(known.network, 0)
    weights_alone = {n: replace(layer, input=None) for n, layer in layers.items()}
    inputs_alone = {n: replace(layer, weight_scale=None) for n, layer in layers.items()}
    for some in (weights_alone, inputs_alone):
        check_network(known.network, some, known.images[0].numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_layers_left_in_float_are_the_float_network(kind: str) -> None:
    network = case(kind).network
    layers = {n: QuantizedLayer(w.weight, None, w.bias, None) for n, w in network.weights.items()}
    assert dump(simulated_layers(network.graph, layers)) == dump(float_layers(network))


def single_layer(pads: int = 0) -> tuple[Graph, QuantizedLayer]:
    """A 3x3 or 1x1 convolution of one channel whose weights are ones."""
    kernel = 2 * pads + 1
    layer = Layer("only", "conv", 1, 1, (kernel, kernel), pads=(pads, pads, pads, pads))
    graph = Graph(
        (Node("image", "input", (), (1, 1, 9)), Node("only", "conv", ("image",), (1, 1, 9), layer))
    )
    weight = np.ones(layer.weight_shape, np.float32)
    bias = np.zeros(1, np.float32)
    return graph, QuantizedLayer(weight, None, bias, InputLevels(1.0, -7, 7))


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1, 3.7])
@pytest.mark.parametrize("low", [-7, 0])
def test_halves_go_away_from_zero(scale: float, low: int) -> None:
    graph, layer = single_layer()
    halves = np.array([-6.5, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 6.5])
    levels = InputLevels(float(np.float32(scale)), low, 7)
    image = (halves / levels.scale).astype(np.float32).reshape(1, 1, -1)
    network = simulated_layers(graph, {"only": replace(layer, input=levels)})
    found = Engine.from_memory(*dump(network)).blobs(image, ["only_levels"])["only_levels"]
    assert found.ravel().tolist() == [max(q, low) for q in (-7, -3, -2, -1, 0, 1, 2, 3, 7)]


def test_padding_is_level_zero() -> None:
    graph, layer = single_layer(pads=1)
    network = simulated_layers(graph, {"only": layer})
    image = np.full((1, 1, 9), 2.2, np.float32)
    found = Engine.from_memory(*dump(network)).run(image)
    assert found.ravel().tolist() == [4, *[6] * 7, 4]


def test_the_callers_image_is_left_alone() -> None:
    graph, layer = single_layer()
    image = np.full((1, 1, 9), 2.2, np.float32)
    engine = Engine.from_memory(*dump(simulated_layers(graph, {"only": layer})))
    engine.run(image)
    assert (image == np.float32(2.2)).all()
