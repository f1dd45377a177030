"""Random networks of inverted and plain residuals, with plain chains between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from quant.calibrate import calibrate
from quant.equalize import CLIP_OF_6, MARGIN, MOST, choose_changes, equalize, find_extremes
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.graph import Network, Node
from quant.naive import NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.policy import uniform
from quant.rewrite import Change, rewrite
from quant.trace import trace
from tests.quant.networks import KINDS, case, random_images

SHAPE = (3, 8, 8)
CHANNELS = 8


@dataclass(frozen=True)
class Block:
    """What one block of a random network is made of."""

    residual: bool
    depthwise: bool
    padded: bool
    activation: type[nn.Module]


class Chain(nn.Module):
    """A stem, blocks that widen, filter and narrow, and a classifier."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU6())
        self.blocks = nn.ModuleList(make_block(block) for block in blocks)
        self.residual = [block.residual for block in blocks]
        self.pool, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(CHANNELS, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block, residual in zip(self.blocks, self.residual, strict=True):
            x = x + block(x) if residual else block(x)
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


def make_block(block: Block) -> nn.Sequential:
    kernel = 3 if block.padded else 1
    wide = 2 * CHANNELS
    groups = wide if block.depthwise else 1
    return nn.Sequential(
        nn.Conv2d(CHANNELS, wide, 1),
        block.activation(),
        nn.Conv2d(wide, wide, kernel, padding=kernel // 2, groups=groups),
        block.activation(),
        nn.Conv2d(wide, CHANNELS, 1),
    )


BLOCKS = st.builds(
    Block,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([nn.ReLU6, nn.ReLU, nn.Identity]),
)


def random_network(blocks: list[Block], seed: int) -> Network:
    """Channels of very different sizes, some of which reach the clip."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Chain(blocks).eval()
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data *= torch.exp(torch.randn(module.out_channels, 1, 1, 1))
                assert module.bias is not None
                nn.init.normal_(module.bias)
    return trace(net, SHAPE)


def values(network: Network, images: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def note(node: Node, value: Tensor) -> Tensor:
        found[node.name] = value.clone()
        return value

    FloatNet(network).logits(images, note)
    return found


def check_equal(network: Network, images: Tensor) -> None:
    """Logits are equal but for rounding."""
    expected = FloatNet(network).logits(images)
    found = FloatNet(equalize(network, images)).logits(images)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@settings(max_examples=40)
@given(st.lists(BLOCKS, min_size=1, max_size=4), st.integers(0, 1000))
def test_what_is_computed_stays(blocks: list[Block], seed: int) -> None:
    check_equal(random_network(blocks, seed), random_images(SHAPE, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_what_other_networks_compute_stays(kind: str) -> None:
    check_equal(case(kind).network, case(kind).images)


@settings(max_examples=20)
@given(st.lists(BLOCKS, min_size=1, max_size=3), st.integers(0, 1000))
def test_values_are_changed_as_was_chosen(blocks: list[Block], seed: int) -> None:
    network, images = random_network(blocks, seed), random_images(SHAPE, 4)
    changes = choose_changes(network.graph, find_extremes(network, images))
    before, after = values(network, images), values(rewrite(network, changes), images)
    for name, change in changes.items():
        scale = torch.from_numpy(change.scale).float()[:, None, None]
        offset = torch.from_numpy(change.offset).float()[:, None, None]
        expected = before[name] * scale - offset
        size = float(expected.abs().max())
        torch.testing.assert_close(after[name], expected, rtol=1e-3, atol=1e-4 * max(size, 1.0))


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_no_channel_comes_near_the_clip(seed: int) -> None:
    """A channel that is scaled stays a margin below 6, as large values as were seen."""
    network, images = (
        random_network([Block(True, True, True, nn.ReLU6)], seed),
        random_images(SHAPE),
    )
    seen = find_extremes(network, images)
    changes = choose_changes(network.graph, seen)
    scaled = [name for name in changes if (changes[name].scale != 1).any()]
    assert scaled == ["blocks.0.0"]
    scale, peak = changes["blocks.0.0"].scale, seen["blocks.0.0"][1]
    assert (scale >= 1).all()
    assert (scale <= MOST).all()
    assert (scale * peak * MARGIN)[scale > 1].max() <= CLIP_OF_6 * (1 + 1e-9)
    assert (scale[peak * MARGIN >= CLIP_OF_6] == 1).all()


def test_a_padded_reader_leaves_zero_where_it_is() -> None:
    def moved(padded: bool) -> set[str]:
        network = random_network([Block(False, False, padded, nn.Identity)] * 2, 0)
        return set(choose_changes(network.graph, find_extremes(network, random_images(SHAPE))))

    assert moved(padded=False) - moved(padded=True) == {"blocks.0.0", "blocks.1.0"}


def test_a_sum_is_centred_by_its_branch() -> None:
    network, images = (
        random_network([Block(True, True, True, nn.ReLU6)] * 2, 0),
        random_images(SHAPE),
    )
    seen = find_extremes(equalize(network, images), images)
    sums = [n for n in network.graph.nodes if n.op == "add"]
    first = seen[sums[0].name]
    np.testing.assert_allclose(first[0], -first[1], rtol=1e-3, atol=1e-3)


def lost(network: Network, floats: Network, images: Tensor) -> float:
    """Squared error of the logits at uniform 8 bits in ncnn's arithmetic."""
    ranges = calibrate(network, images, "absmax")
    net = FakeQuantNet(network.graph, NaiveQuantizer(network, ranges, "ncnn"), Capabilities())
    found = net.logits(images, uniform(network.graph.layer_names, 8, 8))
    return float((found - FloatNet(floats).logits(images)).square().mean())


@pytest.mark.parametrize("seed", range(3))
def test_uneven_channels_lose_less(seed: int) -> None:
    """One channel of two is a hundredth of its neighbour, and weights make up for it."""
    network, images = (
        random_network([Block(True, True, True, nn.ReLU)] * 3, seed),
        random_images(SHAPE, 50),
    )
    uneven = np.where(np.arange(2 * CHANNELS) % 2, 1.0, 0.01)
    names = [
        n.name
        for n in network.graph.nodes
        if n.layer and n.name.endswith(".0") and n.name != "stem.0"
    ]
    changes = {name: Change(uneven, np.zeros_like(uneven)) for name in names}
    worse = rewrite(network, changes)
    assert lost(equalize(worse, images), network, images) < 0.5 * lost(worse, network, images)
