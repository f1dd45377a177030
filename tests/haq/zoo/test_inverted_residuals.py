from __future__ import annotations

import itertools
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.inverted_residuals import InvertedResiduals
from haq.zoo.keys import Timm
from haq.zoo.layers import SamePadConv2d
from haq.zoo.mobilenets import MBV2
from haq.zoo.rows import Row, Rows
from quant.graph import Graph
from quant.trace import trace

SQUEEZING = Rows(
    Timm(),
    stem=8,
    rows=(Row(8, expand=None, squeezes=True), Row(16, 5, stride=2, expand=3, squeezes=True)),
    head=None,
    hidden=24,
)


@cache
def imagenet(padding: Padding) -> tuple[InvertedResiduals, Graph]:
    net = InvertedResiduals(MBV2, 1000, 3, 224, padding=padding).eval()
    return net, trace(net, (3, 224, 224)).graph


def test_padding_changes_neither_counts_nor_shapes() -> None:
    (plain_net, plain), (same_net, same) = imagenet("torch"), imagenet("same")
    assert [node.shape for node in same.nodes] == [node.shape for node in plain.nodes]
    assert same_net.state_dict().keys() == plain_net.state_dict().keys()
    pads = {layer.pads for layer in same.layers if layer.stride == (2, 2)}
    assert pads == {(0, 1, 0, 1)}


def test_a_depthwise_layer_in_every_block() -> None:
    _, graph = imagenet("torch")
    assert sum(layer.is_depthwise for layer in graph.layers) == 17


@pytest.mark.parametrize("size", [32, 33, 47, 65, 96])
def test_same_padding_halves_to_the_ceiling(size: int) -> None:
    net = InvertedResiduals(MBV2, 10, 1, size, width=0.25, padding="same").eval()
    sides = [size]
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            assert isinstance(module, SamePadConv2d)
            module.register_forward_hook(lambda _, __, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        net(torch.zeros(1, 1, size, size))
    for before, after in itertools.pairwise(sides):
        assert after in (before, -(-before // 2))
    halvings = 4 if size <= 64 else 5
    assert sides[-1] == -(-size // 2**halvings)


def test_the_default_size_keeps_full_resolution_in_the_stem() -> None:
    graph = trace(InvertedResiduals(MBV2, 10, 1, 32).eval(), (1, 32, 32)).graph
    assert graph.layers[0].stride == (1, 1)
    assert round(sum(layer.macs for layer in graph.layers) / 1e6, 1) == 23.9


def test_a_block_adds_its_input_where_size_and_channels_stay() -> None:
    _, graph = imagenet("torch")
    added = [node.inputs for node in graph.nodes if node.op == "add"]
    layers = [[name for name in names if name.startswith("features.")] for names in added]
    blocks = [max(int(name.split(".")[1]) for name in names) for names in layers]
    assert blocks == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_rows_may_squeeze_and_have_a_hidden_linear_layer() -> None:
    net = InvertedResiduals(SQUEEZING, 5, 3, 32)
    state = net.state_dict()
    assert state["blocks.0.0.se.conv_reduce.weight"].shape == (2, 8, 1, 1)
    assert state["blocks.1.0.se.conv_expand.weight"].shape == (24, 2, 1, 1)
    assert state["pre_classifier.weight"].shape == (24, 16)
    assert net.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


def test_all_that_runs_is_registered() -> None:
    """What `eval` and `to` do not reach would go on as before."""
    net = InvertedResiduals(SQUEEZING, 5, 3, 32).train()
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ran: list[Tensor] = []
    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, out: ran.append(out))
    net.eval()
    assert torch.equal(net(images), net(images))
    leaves = [m for m in net.modules() if not list(m.children())]
    assert len(ran) == 2 * len(leaves)


@torch.no_grad()
def test_a_module_that_is_replaced_runs_no_more() -> None:
    net = InvertedResiduals(SQUEEZING, 4, 3, 32).eval()
    x = torch.randn(2, 3, 32, 32)
    before = net(x)
    net.set_submodule("classifier", nn.Sequential(net.get_submodule("classifier"), nn.ReLU()))
    assert torch.equal(net(x), before.relu())
