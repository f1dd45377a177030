from __future__ import annotations

import itertools
from functools import cache

import pytest
import torch

from haq.names import Padding
from haq.zoo.mobilenet_v2 import MobileNetV2, scale_channels
from quant.graph import Graph
from quant.trace import trace

TORCHVISION_KEYS = {
    "features.0.0.weight": (32, 3, 3, 3),
    "features.0.1.running_var": (32,),
    "features.1.conv.0.0.weight": (32, 1, 3, 3),
    "features.1.conv.1.weight": (16, 32, 1, 1),
    "features.1.conv.2.bias": (16,),
    "features.2.conv.0.0.weight": (96, 16, 1, 1),
    "features.2.conv.1.0.weight": (96, 1, 3, 3),
    "features.2.conv.2.weight": (24, 96, 1, 1),
    "features.17.conv.2.weight": (320, 960, 1, 1),
    "features.17.conv.3.num_batches_tracked": (),
    "features.18.0.weight": (1280, 320, 1, 1),
    "features.18.1.running_mean": (1280,),
    "classifier.1.weight": (1000, 1280),
    "classifier.1.bias": (1000,),
}


@cache
def imagenet(padding: Padding) -> tuple[MobileNetV2, Graph]:
    net = MobileNetV2(1000, 3, 224, padding=padding).eval()
    return net, trace(net, (3, 224, 224)).graph


def test_published_counts() -> None:
    net, graph = imagenet("torch")
    assert sum(p.numel() for p in net.parameters()) == 3_504_872
    assert sum(layer.macs for layer in graph.layers) == 300_774_272
    assert len(graph.layers) == 53
    assert sum(layer.is_depthwise for layer in graph.layers) == 17


def test_padding_changes_neither_counts_nor_shapes() -> None:
    (plain_net, plain), (same_net, same) = imagenet("torch"), imagenet("same")
    assert [node.shape for node in same.nodes] == [node.shape for node in plain.nodes]
    assert same_net.state_dict().keys() == plain_net.state_dict().keys()
    pads = {layer.pads for layer in same.layers if layer.stride == (2, 2)}
    assert pads == {(0, 1, 0, 1)}


def test_keys_are_torchvisions() -> None:
    state = imagenet("torch")[0].state_dict()
    assert len(state) == 314
    for name, shape in TORCHVISION_KEYS.items():
        assert tuple(state[name].shape) == shape


@pytest.mark.parametrize("size", [32, 33, 47, 65, 96])
def test_same_padding_halves_to_the_ceiling(size: int) -> None:
    net = MobileNetV2(10, 1, size, width=0.25, padding="same").eval()
    sides = [size]
    for block in net.features:
        block.register_forward_hook(lambda _, __, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        net(torch.zeros(1, 1, size, size))
    for before, after in itertools.pairwise(sides):
        assert after in (before, -(-before // 2))
    halvings = 4 if size <= 64 else 5
    assert sides[-1] == -(-size // 2**halvings)


def test_the_default_size_keeps_full_resolution_in_the_stem() -> None:
    graph = trace(MobileNetV2(10, 1, 32).eval(), (1, 32, 32)).graph
    assert graph.layers[0].stride == (1, 1)
    assert round(sum(layer.macs for layer in graph.layers) / 1e6, 1) == 23.9


def test_channels_are_multiples_of_eight_within_a_tenth() -> None:
    assert [scale_channels(32 * w) for w in (0.25, 0.35, 0.5, 0.75, 1.4)] == [8, 16, 16, 24, 48]
    for channels in range(8, 2000):
        scaled = scale_channels(channels)
        assert scaled % 8 == 0
        assert scaled >= 0.9 * channels


def test_a_skip_adds_its_input() -> None:
    net = imagenet("torch")[0]
    skips = [i for i, block in enumerate(net.features) if getattr(block, "skip", False)]
    assert skips == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]
    block = net.features[3]
    x = torch.randn(1, 24, 56, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        inner = next(iter(block.children()))
        assert torch.equal(block(x), x + inner(x))
