from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.graph import Network
from quant.learned import KINDS, Drop, Kind, LearnedNet, nodes_between
from quant.naive import Arithmetic, NaiveQuantizer
from quant.ncnn.runtime import capabilities
from quant.policy import Policy, uniform
from quant.quantized import QuantizedLayer, QuantizedLayers
from tests.quant.networks import KINDS as NETWORKS
from tests.quant.networks import Case, case

BITS = {"w4a4": (4, 4), "w3a8": (3, 8), "w32a6": (32, 6), "w5a32": (5, 32), "w8a8": (8, 8)}
FLIPS = 0.02


class Given:
    """A quantizer that has its layers already."""

    def __init__(self, layers: QuantizedLayers) -> None:
        self._layers = layers

    def layers(self, policy: Policy) -> QuantizedLayers:
        return self._layers


def start(subject: Case, name: str, arithmetic: Arithmetic) -> tuple[Policy, QuantizedLayers]:
    weight, activation = BITS[name]
    policy = uniform(subject.network.graph.layer_names, weight, activation)
    return policy, NaiveQuantizer(subject.network, subject.ranges, arithmetic).layers(policy)


def expected(network: Network, layers: QuantizedLayers, policy: Policy, x: Tensor) -> Tensor:
    return FakeQuantNet(network.graph, Given(layers), capabilities()).logits(x, policy)


def assert_equal_but_for_flips(ours: Tensor, theirs: Tensor) -> None:
    """The sums differ in float32's last bits, which now and then flips a rounding behind them."""
    error = (ours - theirs).abs().amax(1) / theirs.abs().max()
    assert (error < 1e-5).float().mean() > 0.8
    assert error.max() < FLIPS


@torch.no_grad()
def evaluate(net: LearnedNet, x: Tensor) -> Tensor:
    logits: Tensor = net(x)
    return logits


def trained(net: LearnedNet, x: Tensor, kinds: tuple[Kind, ...] = KINDS) -> LearnedNet:
    """A few large steps away from the start."""
    chosen = net.train_only(kinds)
    optimizer = torch.optim.Adam([p for group in chosen.values() for p in group], lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    return net


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("arithmetic", ["ncnn", "simulated"])
def test_it_starts_and_ends_as_fake_quantization(
    kind: str, name: str, arithmetic: Arithmetic
) -> None:
    subject = case(kind)
    policy, layers = start(subject, name, arithmetic)
    net = LearnedNet(subject.network.graph, layers, policy)
    before = expected(subject.network, layers, policy, subject.images)
    assert_equal_but_for_flips(evaluate(net, subject.images), before)
    trained(net, subject.images)
    moved = net.to_quantized()
    after = expected(subject.network, moved, policy, subject.images)
    assert (after - before).abs().max() > 0.01
    assert_equal_but_for_flips(evaluate(net, subject.images), after)


@pytest.mark.parametrize("name", ["w4a4", "w8a8"])
def test_what_was_not_trained_comes_back_to_the_bit(name: str) -> None:
    subject = case("mobile")
    policy, layers = start(subject, name, "ncnn")
    again = LearnedNet(subject.network.graph, layers, policy).to_quantized()
    for layer, found in again.items():
        given = layers[layer]
        assert np.array_equal(found.weight, given.weight)
        assert found.weight_scale is not None and given.weight_scale is not None
        assert np.array_equal(found.weight_scale, given.weight_scale)
        assert found.input == given.input


def test_without_rounding_it_is_the_float_network() -> None:
    subject = case("residual")
    policy = uniform(subject.network.graph.layer_names, 32, 16)
    layers = NaiveQuantizer(subject.network, subject.ranges, "ncnn").layers(policy)
    net = LearnedNet(subject.network.graph, layers, policy)
    assert torch.equal(
        evaluate(net, subject.images), FloatNet(subject.network).logits(subject.images)
    )
    stored = net.to_quantized()
    assert all(np.array_equal(stored[n].weight, layers[n].weight) for n in layers)
    assert all(layer.input is None and layer.weight_scale is None for layer in stored.values())


def skewed(layer: QuantizedLayer, c_in: int, offset: bool) -> QuantizedLayer:
    """The same integers with a spread by channel, and an offset where asked."""
    assert layer.input is not None
    spread = np.linspace(0.7, 1.6, c_in, dtype=np.float32)
    shift = np.linspace(-0.2, 0.3, c_in, dtype=np.float32) if offset else None
    return replace(layer, input=replace(layer.input, spread=spread, offset=shift))


@pytest.mark.parametrize("kind", NETWORKS)
def test_spread_and_offset_of_inputs(kind: str) -> None:
    subject = case(kind)
    policy, layers = start(subject, "w4a4", "simulated")
    changed = {
        layer.name: skewed(layers[layer.name], layer.c_in, offset=not any(layer.pads))
        for layer in subject.network.graph.layers
    }
    net = LearnedNet(subject.network.graph, changed, policy)
    trained(net, subject.images)
    after = expected(subject.network, net.to_quantized(), policy, subject.images)
    assert_equal_but_for_flips(evaluate(net, subject.images), after)


def test_targets_leave_the_start_as_it_is_and_lean_towards_them() -> None:
    subject = case("mobile")
    policy, layers = start(subject, "w4a4", "simulated")
    shifted = {n: replace(q, weight=np.clip(q.weight + 1, -7, 7)) for n, q in layers.items()}
    targets = {n: w.weight for n, w in subject.network.weights.items()}
    plain = LearnedNet(subject.network.graph, shifted, policy)
    leaning = LearnedNet(subject.network.graph, shifted, policy, targets)
    assert torch.equal(evaluate(plain, subject.images), evaluate(leaning, subject.images))
    for name, layer in leaning.by_name.items():
        scale, latent = layers[name].weight_scale, layer.weight.latent.detach().numpy()
        assert scale is not None
        column = scale.reshape(-1, *[1] * (latent.ndim - 1))
        away = targets[name] * column - shifted[name].weight
        wanted = np.where(np.abs(away) < 0.5, np.clip(away, -0.49, 0.49), 0.0)
        np.testing.assert_allclose(latent - shifted[name].weight, wanted, atol=1e-5)


def test_integers_beyond_the_bits_are_refused() -> None:
    subject = case("mobile")
    _, layers = start(subject, "w8a8", "ncnn")
    policy = uniform(subject.network.graph.layer_names, 4, 8)
    with pytest.raises(ValueError, match="has integers of more than 4 bits"):
        LearnedNet(subject.network.graph, layers, policy)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_part_runs_from_given_values_and_leaves_them(kind: str) -> None:
    subject = case(kind)
    graph = subject.network.graph
    policy, layers = start(subject, "w4a4", "simulated")
    net = LearnedNet(graph, layers, policy)
    image, last = graph.nodes[0].name, graph.nodes[-1].name
    whole = evaluate(net, subject.images)
    for node in graph.nodes[1:-1]:
        if readers_cross(subject, node.name):
            continue
        with torch.no_grad():
            value = net.run({image: subject.images}, node.name)
            kept = value.clone()
            assert torch.equal(net.run({node.name: value}, last), whole)
        assert torch.equal(value, kept)


def readers_cross(subject: Case, name: str) -> bool:
    """Whether the logits need more than this node's value."""
    try:
        nodes_between(subject.network.graph, {name}, subject.network.graph.nodes[-1].name)
    except KeyError:
        return True
    return False


def test_values_that_do_not_suffice_are_named() -> None:
    subject = case("mobile")
    graph = subject.network.graph
    add = next(node for node in graph.nodes if node.op == "add")
    with pytest.raises(KeyError, match="needs the image"):
        nodes_between(graph, {add.inputs[1]}, add.name)
    assert nodes_between(graph, set(add.inputs), add.name) == (add,)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_chosen_kind_moves(kind: Kind) -> None:
    subject = case("mobile")
    policy, layers = start(subject, "w4a4", "simulated")
    net = LearnedNet(subject.network.graph, layers, policy)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trained(net, subject.images, (kind,))
    moved = {n for n, value in net.state_dict().items() if not torch.equal(value, before[n])}
    ends = {"weights": ("latent",), "steps": ("growth",), "biases": ("bias",)}[kind]
    assert moved == {name for name in before if name.endswith(ends)}


def test_only_the_named_layers_are_trained() -> None:
    subject = case("mobile")
    names = subject.network.graph.layer_names
    policy, layers = start(subject, "w4a4", "simulated")
    net = LearnedNet(subject.network.graph, layers, policy)
    chosen = net.train_only(("steps", "biases"), names[:2])
    assert {kind: len(found) for kind, found in chosen.items()} == {"steps": 4, "biases": 2}
    assert sum(parameter.requires_grad for parameter in net.parameters()) == 6


def test_training_brings_the_logits_closer_to_the_float_networks() -> None:
    subject = case("mobile")
    policy, layers = start(subject, "w4a4", "simulated")
    net = LearnedNet(subject.network.graph, layers, policy)
    teacher = FloatNet(subject.network).logits(subject.images)
    optimizer = torch.optim.Adam([p for g in net.train_only(KINDS).values() for p in g], lr=5e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (net(subject.images) - teacher).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_dropping_everything_leaves_inputs_in_float() -> None:
    subject = case("residual")
    names = subject.network.graph.layer_names
    policy = uniform(names, 32, 2)
    layers = NaiveQuantizer(subject.network, subject.ranges, "simulated").layers(policy)
    net = LearnedNet(subject.network.graph, layers, policy)
    floats = FloatNet(subject.network).logits(subject.images)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        dropped = net(subject.images, Drop(1.0, generator))
        half = net(subject.images, Drop(0.5, generator))
    torch.testing.assert_close(dropped, floats, rtol=1e-4, atol=1e-4)
    assert (half - floats).abs().max() > 0.01


def test_scales_of_a_group_stay_equal_where_they_were() -> None:
    subject = case("odd")
    policy, layers = start(subject, "w8a8", "ncnn")
    net = trained(LearnedNet(subject.network.graph, layers, policy), subject.images)
    grouped = next(layer for layer in subject.network.graph.layers if layer.groups == 2)
    scale = net.to_quantized()[grouped.name].weight_scale
    assert scale is not None
    assert len(set(scale[:10])) == len(set(scale[10:])) == 1
    assert scale[0] != scale[10]


def test_unequal_scales_of_a_group_are_learned_one_by_one() -> None:
    subject = case("odd")
    policy, layers = start(subject, "w4a4", "simulated")
    grouped = next(layer for layer in subject.network.graph.layers if layer.groups == 2)
    scales = np.linspace(5, 9, grouped.c_out, dtype=np.float32)
    changed = {**layers, grouped.name: replace(layers[grouped.name], weight_scale=scales)}
    again = LearnedNet(subject.network.graph, changed, policy).to_quantized()
    found = again[grouped.name].weight_scale
    assert found is not None and np.array_equal(found, scales)
