"""Attention in torch, and small transformers in torch, in ncnn and in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from quant.attention import context, layer_norm, multiply, prepend, scores
from quant.calibrate import calibrate
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.graph import Layer, Network
from quant.naive import NaiveQuantizer
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import Engine, capabilities
from quant.ncnn.simulate import simulated_layers
from quant.onnx_export import export_onnx, run_onnx
from quant.policy import ENGINE_BITS, Bits, Policy, uniform
from quant.trace import trace
from tests.quant.parts import SelfAttention

CLOSE = 1e-4
"""Largest error of float networks by the largest logit; 1e-6 is seen."""


def tokens(heads: int, depth: int, count: int, seed: int) -> Tensor:
    return torch.randn(2, heads * depth, 1, count, generator=torch.Generator().manual_seed(seed))


SIDES = st.integers(1, 5)


@given(SIDES, SIDES, SIDES, SIDES)
def test_products_are_attention_s(heads: int, depth: int, count: int, read: int) -> None:
    q, k, v = (tokens(heads, depth, n, seed) for seed, n in enumerate((count, read, read)))
    q_heads, k_heads, v_heads = (x.reshape(2, heads, depth, -1).mT for x in (q, k, v))
    expected = F.scaled_dot_product_attention(q_heads, k_heads, v_heads, scale=0.5)
    chances = (scores(q, k, heads) * 0.5).softmax(-1)
    assert chances.shape == (2, heads, count, read)
    found = context(chances, v)
    torch.testing.assert_close(found, expected.mT.reshape(2, heads * depth, 1, count))
    shapes = {"groups": heads, "in_size": (count, read), "out_size": (1, count)}
    layer = Layer("x", "context", heads, heads * depth, **shapes)  # type: ignore[arg-type]
    assert torch.equal(multiply(layer, chances, v), found)
    assert (layer.macs, layer.weight_count) == (heads * depth * count * read, 0)


def test_a_layer_of_scores_counts_its_products() -> None:
    layer = Layer("x", "scores", 12, 3, groups=3, in_size=(1, 5), out_size=(5, 7))
    assert (layer.macs, layer.factor_count, layer.weight_count) == (3 * 5 * 7 * 4, 12 * 7, 0)
    assert not layer.is_depthwise


def test_norms_and_first_tokens() -> None:
    x, first = tokens(2, 3, 4, 0), torch.randn(6, 2)
    weight, bias = torch.randn(6), torch.randn(6)
    by_token = F.layer_norm(x[:, :, 0].mT, (6,), weight, bias, 1e-3)
    assert torch.equal(layer_norm(x, weight, bias, 1e-3)[:, :, 0].mT, by_token)
    found = prepend(x, first)
    assert torch.equal(found[..., 2:], x)
    assert torch.equal(found[1, :, 0, :2], first)


class Small(nn.Module):
    """A transformer of drawn sizes, which ends in a token of its own or in their mean."""

    def __init__(self, draw: np.random.Generator) -> None:
        super().__init__()
        heads, depth = int(draw.integers(1, 4)), int(draw.integers(2, 6))
        self.own, dims = bool(draw.random() < 0.5), heads * depth
        self.patches = nn.Conv2d(3, dims, 4, 4)
        self.first = nn.Parameter(torch.randn(1, int(draw.integers(1, 3)), dims))
        self.positions = nn.Parameter(torch.randn(self.first.shape[1] + 6, dims))
        self.norm = nn.LayerNorm(dims, eps=1e-3, elementwise_affine=bool(draw.random() < 0.7))
        self.attention = SelfAttention(dims, heads, bool(draw.random() < 0.5))
        self.mlp = nn.Sequential(nn.Linear(dims, 7), nn.GELU(), nn.Linear(7, dims))
        self.head = nn.Linear(dims, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).permute(0, 2, 1)
        x = self.positions + torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1)
        x = x + self.attention(self.norm(x))
        x = x + self.mlp(x)
        found: Tensor = self.head(x[:, 1] if self.own else x.mean(1))
        return found


def small(seed: int) -> tuple[nn.Module, Network, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Small(np.random.default_rng(seed)).eval()
        images = torch.randn(3, 3, 8, 12)
    return net, trace(net, (3, 8, 12)), images


def run_engine(engine: Engine, images: Tensor) -> Tensor:
    return torch.from_numpy(np.stack([engine.run(image) for image in images.numpy()]))


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_every_engine_computes_the_module(seed: int) -> None:
    net, network, images = small(seed)
    with torch.no_grad():
        expected = net(images)
    policy = uniform(network.graph.layer_names, 32, 32)
    ranges = calibrate(network, images, "auto")
    fake = FakeQuantNet(network.graph, NaiveQuantizer(network, ranges, "simulated"), Capabilities())
    model = export_onnx(fake, policy).SerializeToString()
    for found in (
        FloatNet(network).logits(images),
        run_engine(Engine.from_memory(*dump(float_layers(network))), images),
        torch.from_numpy(run_onnx(model, images.numpy())),
    ):
        assert distance(found, expected) <= CLOSE


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(2, 8))
def test_products_are_quantized_alike(seed: int, weight: int, activation: int) -> None:
    """All else is float, so that little besides exact halves can tell the engines apart."""
    _, network, images = small(seed)
    graph, ranges = network.graph, calibrate(network, images, "auto")
    floats = uniform(graph.layer_names, 32, 32).layers
    policy = Policy({**floats, **dict.fromkeys(graph.products, Bits(weight, activation))})
    quantizer = NaiveQuantizer(network, ranges, "simulated")
    fake = FakeQuantNet(graph, quantizer, Capabilities())
    ours, exact = fake.logits(images, policy), FloatNet(network).logits(images)
    engine = Engine.from_memory(*dump(simulated_layers(graph, quantizer.layers(policy))))
    model = export_onnx(fake, policy).SerializeToString()
    assume(not torch.equal(ours, exact))
    flip = max(CLOSE, 0.6 * distance(ours, exact))
    for found in (run_engine(engine, images), torch.from_numpy(run_onnx(model, images.numpy()))):
        assert distance(found, ours) <= flip


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_mixes_of_ncnn_s_widths_do_not_crash(seed: int) -> None:
    _, network, images = small(seed)
    names, board = network.graph.layer_names, capabilities()
    drawn = np.random.default_rng(seed).choice(ENGINE_BITS, len(names)).tolist()
    policy = Policy({name: Bits(bits, bits) for name, bits in zip(names, drawn, strict=True)})
    ranges = calibrate(network, images, "auto")
    layers = mixed_layers(
        float_layers(network), policy.engine_bits(), ranges.engine_thresholds(), board
    )
    engine = Engine.from_memory(*dump(layers), board.bits16 if 16 in drawn else "none")
    found = run_engine(engine, images)
    ours = FakeQuantNet(network.graph, NaiveQuantizer(network, ranges, "ncnn"), board)
    assert distance(found, ours.logits(images, policy)) <= 0.1


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_ncnn_s_products_are_float_at_any_width(bits: int) -> None:
    _, network, images = small(0)
    ranges, floats = calibrate(network, images, "auto"), uniform(network.graph.layer_names, 32, 32)
    policy = Policy({**floats.layers, **dict.fromkeys(network.graph.products, Bits(bits, bits))})
    made = NaiveQuantizer(network, ranges, "ncnn").layers(policy)
    assert all(made[name].input is made[name].second is None for name in network.graph.products)
    layers = mixed_layers(
        float_layers(network),
        policy.engine_bits(),
        ranges.engine_thresholds(),
        Capabilities(bits16="bf16", types16=frozenset({"Convolution", "InnerProduct"})),
    )
    assert {n.name for n in layers if n.type == "MatMul"} == set(network.graph.products)
    exact = FloatNet(network).logits(images)
    assert distance(run_engine(Engine.from_memory(*dump(layers)), images), exact) <= CLOSE
