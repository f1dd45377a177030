"""All that takes a network takes the blocks of published ones, and computes the same of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from quant.equalize import equalize
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.kmeans import KMeansQuantizer
from quant.learned import Kind, LearnedNet
from quant.ncnn.build import dump, float_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import Engine
from quant.ncnn.simulate import simulated_layers
from quant.onnx_export import export_onnx, run_onnx
from quant.policy import uniform
from quant.recipe.sequence import quantize_in_sequence
from quant.saved import SavedQuantizer
from quant.shared import to_network
from tests.quant.blocks import BLOCKS, block

CLOSE = 1e-4
"""Largest error of float networks by the largest logit; 1e-6 is seen."""
NEAR = 0.1
"""The same of 4 bits against float, and of engines that flip a rounding now and then; 0.075."""


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


def run_engine(engine: Engine, images: Tensor) -> Tensor:
    return torch.from_numpy(np.stack([engine.run(image) for image in images.numpy()]))


@pytest.mark.parametrize("kind", BLOCKS)
def test_ncnn_and_onnx_equal_the_module(kind: str) -> None:
    known = block(kind)
    with torch.no_grad():
        expected = known.module(known.images)
    engine = Engine.from_memory(*dump(float_layers(known.network)))
    assert distance(run_engine(engine, known.images), expected) <= CLOSE
    policy = uniform(known.network.graph.layer_names, 32, 32)
    weights = known.network.weights
    layers = KMeansQuantizer(known.network).layers(policy)
    assert all(np.array_equal(layers[name].weight, weights[name].weight) for name in weights)
    net = FakeQuantNet(known.network.graph, SavedQuantizer(policy, layers), Capabilities())
    model = export_onnx(net, policy).SerializeToString()
    assert distance(torch.from_numpy(run_onnx(model, known.images.numpy())), expected) <= CLOSE


@pytest.mark.parametrize("kind", BLOCKS)
def test_equalized_and_clustered_networks(kind: str) -> None:
    known = block(kind)
    expected = FloatNet(known.network).logits(known.images)
    equal = equalize(known.network, known.images)
    assert distance(FloatNet(equal).logits(known.images), expected) <= CLOSE
    policy = uniform(known.network.graph.layer_names, 8, 32)
    shared = KMeansQuantizer(known.network).shared(policy)
    clustered = FloatNet(to_network(known.network.graph, shared)).logits(known.images)
    assert 0 < distance(clustered, expected) <= NEAR


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("bits", [4, 8])
def test_every_engine_runs_what_the_recipe_makes(kind: str, bits: int) -> None:
    known = block(kind)
    graph, images = known.network.graph, known.images
    expected = FloatNet(known.network).logits(images)
    policy = uniform(graph.layer_names, bits, bits)
    made = quantize_in_sequence(known.network, images, policy)
    net = FakeQuantNet(graph, SavedQuantizer(policy, made.layers), Capabilities())
    engine = Engine.from_memory(*dump(simulated_layers(graph, made.layers)))
    learned = LearnedNet(graph, made.layers, policy, made.targets)
    model = export_onnx(net, policy).SerializeToString()
    with torch.no_grad():
        found = {
            "fake": net.logits(images, policy),
            "ncnn": run_engine(engine, images),
            "onnx": torch.from_numpy(run_onnx(model, images.numpy())),
            "learned": learned(images),
        }
    for name, logits in found.items():
        assert 0 < distance(logits, expected) <= NEAR, name
        assert distance(logits, found["fake"]) <= distance(logits, expected), name


@pytest.mark.parametrize("kind", BLOCKS)
def test_gradients_reach_every_layer(kind: str) -> None:
    known = block(kind)
    policy = uniform(known.network.graph.layer_names, 4, 4)
    made = quantize_in_sequence(known.network, known.images, policy)
    net = LearnedNet(known.network.graph, made.layers, policy, made.targets)
    kinds: tuple[Kind, ...] = ("weights",)
    weights = net.train_only(kinds)["weights"]
    net(known.images).square().sum().backward()
    assert len(weights) == len(known.network.weights)
    assert all(w.grad is not None and bool(w.grad.abs().sum() > 0) for w in weights)
