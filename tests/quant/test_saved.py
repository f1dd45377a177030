from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from quant.errors import InputError, PolicyError
from quant.fake_quant import FakeQuantNet
from quant.graph import Graph, Network
from quant.naive import NaiveQuantizer
from quant.ncnn.runtime import capabilities
from quant.policy import Bits, Policy, uniform
from quant.quantized import QuantizedLayer, QuantizedLayers
from quant.saved import FACTS, TENSORS, load_layers, network_digest, save_layers
from tests.quant.blocks import block
from tests.quant.networks import KINDS, case


def mixed(network: Network) -> Policy:
    """Integers, floats, and both, in turns."""
    choices = [Bits(4, 8), Bits(32, 32), Bits(8, 8), Bits(32, 4), Bits(3, 32)]
    names = network.graph.layer_names
    return Policy({name: choices[i % len(choices)] for i, name in enumerate(names)})


def made(kind: str) -> tuple[Network, Policy, QuantizedLayers]:
    subject = case(kind)
    policy = mixed(subject.network)
    layers = dict(NaiveQuantizer(subject.network, subject.ranges, "simulated").layers(policy))
    first = subject.network.graph.layers[0]
    spread = np.linspace(0.5, 2, first.c_in, dtype=np.float32)
    levels = layers[first.name].input
    if levels is not None:
        levels = replace(levels, spread=spread, offset=spread - 1)
    layers[first.name] = replace(layers[first.name], input=levels)
    return subject.network, policy, layers


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if one is None or other is None or isinstance(one, int | float):
        return one == other
    parts = [field.name for field in fields(one)]  # type: ignore[arg-type]
    return all(same(getattr(one, part), getattr(other, part)) for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_come_back_to_the_bit(kind: str, tmp_path: Path) -> None:
    network, policy, layers = made(kind)
    save_layers(tmp_path, layers, policy, network)
    found = load_layers(tmp_path, network)
    assert found.policy == policy
    assert {p.name for p in tmp_path.iterdir()} == {TENSORS, FACTS}
    again = found.layers(policy)
    assert list(again) == list(layers)
    assert all(same(again[name], layers[name]) for name in layers)
    images = case(kind).images
    before = FakeQuantNet(network.graph, Given(layers), capabilities()).logits(images, policy)
    after = FakeQuantNet(network.graph, found, capabilities()).logits(images, policy)
    assert torch.equal(before, after)


class Given:
    def __init__(self, layers: QuantizedLayers) -> None:
        self._layers = layers

    def layers(self, policy: Policy) -> QuantizedLayers:
        return self._layers


def test_integers_take_a_byte(tmp_path: Path) -> None:
    subject = case("mobile")
    policy = uniform(subject.network.graph.layer_names, 8, 8)
    layers = NaiveQuantizer(subject.network, subject.ranges, "ncnn").layers(policy)
    save_layers(tmp_path, layers, policy, subject.network)
    weights = sum(layer.weight_count for layer in subject.network.graph.layers)
    channels = sum(layer.c_out for layer in subject.network.graph.layers)
    size = (tmp_path / TENSORS).stat().st_size
    assert weights + 8 * channels < size < weights + 8 * channels + 4000


def test_another_policy_is_refused(tmp_path: Path) -> None:
    network, policy, layers = made("mobile")
    save_layers(tmp_path, layers, policy, network)
    with pytest.raises(PolicyError, match="are of another policy"):
        load_layers(tmp_path, network).layers(uniform(network.graph.layer_names, 8, 8))


def test_another_network_is_refused(tmp_path: Path) -> None:
    network, policy, layers = made("mobile")
    save_layers(tmp_path, layers, policy, network)
    name = network.graph.layer_names[0]
    weights = network.weights[name]
    moved = {**network.weights, name: replace(weights, bias=weights.bias + 1)}
    with pytest.raises(InputError, match="holds layers of another network: give the --model"):
        load_layers(tmp_path, Network(network.graph, moved))
    digests = {network_digest(case(kind).network) for kind in KINDS}
    assert len(digests) == len(KINDS)


def test_weights_that_stay_float_are_part_of_the_network() -> None:
    network = block("decoder").network
    nodes = list(network.graph.nodes)
    index = next(i for i, node in enumerate(nodes) if node.op == "deconv")
    constants = nodes[index].constants
    assert constants is not None
    changed = replace(constants, bias=constants.bias + np.float32(1))
    nodes[index] = replace(nodes[index], constants=changed)
    assert network_digest(Network(Graph(tuple(nodes)), network.weights)) != network_digest(network)


def break_version(folder: Path) -> None:
    path = folder / FACTS
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 9}))


def break_inputs(folder: Path) -> None:
    path = folder / FACTS
    path.write_text(json.dumps({**json.loads(path.read_text()), "inputs": []}))


def break_shapes(folder: Path) -> None:
    network, policy, layers = made("mobile")
    name = network.graph.layer_names[1]
    cut: QuantizedLayer = replace(layers[name], bias=layers[name].bias[1:])
    save_layers(folder, {**layers, name: cut}, policy, network)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / FACTS).unlink(), "holds no quantized layers"),
        (lambda folder: (folder / FACTS).write_text("[]"), "holds no quantized layers"),
        (lambda folder: (folder / TENSORS).write_bytes(b"pickle"), "holds no quantized layers"),
        (break_inputs, "holds no quantized layers"),
        (break_shapes, "holds no quantized layers"),
        (break_version, "holds layers of version 9, not 1"),
    ],
)
def test_a_broken_folder_is_one_line(harm, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, policy, layers = made("mobile")
    save_layers(tmp_path, layers, policy, network)
    harm(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        load_layers(tmp_path, network)
    assert "\n" not in str(caught.value)
