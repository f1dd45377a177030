from __future__ import annotations

import numpy as np
import pytest
import torch

from quant.float_net import FloatNet
from quant.graph import Floats
from quant.naive import NaiveQuantizer
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.centre import LIMITS, NO_LIMIT, centred_inputs
from quant.ncnn.format import NcnnLayer, Value
from quant.ncnn.runtime import Engine
from quant.ncnn.simulate import simulated_layers
from quant.policy import Bits, uniform
from tests.quant.ncnn.small_network import RANGES, bits_of, residual_graph, with_weights
from tests.quant.networks import case


def small_layers() -> list[NcnnLayer]:
    return float_layers(with_weights(residual_graph()))


def changed(name: str, **params: Value) -> list[NcnnLayer]:
    """The small network with parameters of one layer set."""
    return [x.with_params(**params) if x.name == name else x for x in small_layers()]


def test_int8_layers_that_alone_read_a_relu_and_pad_nothing() -> None:
    """Others read the sum, or pad, or stand behind a Split."""
    assert centred_inputs(small_layers(), bits_of(8, 8, 8, 8)) == {"second": "depthwise"}


@pytest.mark.parametrize(
    ("bits", "centred"),
    [((8, 32, 8, 8), True), ((8, 8, 16, 8), False), ((8, 8, 32, 8), False), ((8, 16, 8, 8), False)],
)
def test_bits_of_reader_and_maker(bits: tuple[int, ...], centred: bool) -> None:
    assert bool(centred_inputs(small_layers(), bits_of(*bits))) == centred


@pytest.mark.parametrize(
    ("name", "params"),
    [("second", {"p4": 1}), ("depthwise", {"p9": 0}), ("depthwise", {"p9": 3, "p10": (-1.0, 6.0)})],
)
def test_padding_and_other_activations(name: str, params: dict[str, Value]) -> None:
    assert not centred_inputs(changed(name, **params), bits_of(8, 8, 8, 8))


def test_a_relu_has_no_upper_limit() -> None:
    layers = changed("depthwise", p9=1)
    made = mixed_layers(layers, bits_of(8, 8, 8, 8), {**RANGES, "second": 4.0}, Capabilities())
    maker = next(layer for layer in made if layer.name == "depthwise")
    assert maker.params[LIMITS] == (-2.0, NO_LIMIT)


def test_steps_are_half_as_wide() -> None:
    """Errors of the logits are about half of those of the levels that ncnn has of itself."""
    known = case("mobile")
    graph = known.network.graph
    policy = uniform(graph.layer_names, 32, 32).replace("project.0", Bits(8, 8))
    thresholds = known.ranges.engine_thresholds()
    layers = mixed_layers(
        float_layers(known.network), policy.engine_bits(), thresholds, Capabilities()
    )
    quantizer = NaiveQuantizer(known.network, known.ranges, "ncnn")
    plain = {x.name: quantizer.layer(x, policy[x.name]) for x in graph.layers}
    centred = quantizer.layers(policy)
    assert centred["project.0"].input is not None and plain["project.0"].input is not None
    assert centred["project.0"].input.scale == 2 * plain["project.0"].input.scale
    found = run(layers, known.images)
    floats = FloatNet(known.network).logits(known.images).numpy()
    np.testing.assert_allclose(
        found, run(simulated_layers(graph, centred), known.images), atol=1e-3
    )
    alone = run(simulated_layers(graph, plain), known.images)
    assert np.abs(found - floats).mean() < 0.7 * np.abs(alone - floats).mean()


def run(layers: list[NcnnLayer], images: torch.Tensor) -> Floats:
    engine = Engine.from_memory(*dump(layers))
    return np.stack([engine.run(image.numpy()) for image in images])
