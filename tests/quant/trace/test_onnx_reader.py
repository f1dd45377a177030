from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from haq.zoo import NetConfig
from haq.zoo.random_weights import random_network
from haq.zoo.registry import find
from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.trace import trace
from quant.trace.onnx_reader import read_onnx
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case, random_images
from tests.quant.parts import deal
from tests.quant.trace.onnx_models import model, node, read

UNREAD = ("transformer", "convnext", "pyramid")
"""Two are refused, and torch writes no uneven pools."""
SHARED = ("focus",)
"""torch's exporter makes one slice of those that are alike."""


class Deal(nn.Module):
    """nn.ChannelShuffle, which torch's exporter by TorchScript does not know, by views."""

    def forward(self, x: Tensor) -> Tensor:
        return deal(x, 2)


def export(net: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    net = copy.deepcopy(net)
    for name, module in net.named_children():
        if isinstance(module, nn.ChannelShuffle):
            setattr(net, name, Deal())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, *shape),), path, dynamo=False)


@pytest.mark.parametrize("kind", [*KINDS, *(kind for kind in BLOCKS if kind not in UNREAD)])
def test_an_exported_network_is_the_module(kind: str, tmp_path: Path) -> None:
    known = case(kind) if kind in KINDS else block(kind)
    export(known.module, known.images.shape[1:], tmp_path / "net.onnx")
    network = read_onnx(tmp_path / "net.onnx")
    with torch.no_grad():
        expected = known.module(known.images)
    torch.testing.assert_close(
        FloatNet(network).logits(known.images), expected, rtol=1e-4, atol=1e-4
    )
    assert network.graph.layers == known.network.graph.layers
    ours, fxs = ([n.op for n in net.graph.nodes] for net in (network, known.network))
    assert ours == fxs or kind in SHARED
    assert dict(network.graph.stays_float) == dict(known.network.graph.stays_float)


def test_a_transformer_is_refused_by_name(tmp_path: Path) -> None:
    known = block("transformer")
    export(known.module, known.images.shape[1:], tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"is not supported|axes moved"):
        read_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["mbv3_small", "lite0", "mnasnet_a1"])
def test_networks_of_the_zoo_come_back(name: str, tmp_path: Path) -> None:
    config = NetConfig(name, 32, 3, 10, padding=find(name).padding)
    net = random_network(config)
    export(net, (3, 32, 32), tmp_path / "net.onnx")
    network, known = read_onnx(tmp_path / "net.onnx"), trace(net, (3, 32, 32))
    images = random_images((3, 32, 32), 4)
    ours, expected = (FloatNet(n).logits(images) for n in (network, known))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert [layer.macs for layer in network.graph.layers] == [
        layer.macs for layer in known.graph.layers
    ]


def test_an_output_without_the_image(tmp_path: Path) -> None:
    made = model([node("Shape", ["x"])])
    with pytest.raises(ModelError, match="output y does not depend on the image"):
        read(made, tmp_path)


def test_an_operation_that_is_not_supported_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="operation Sinh 'the_y' is not supported"):
        read(model([node("Sinh", ["x"])]), tmp_path)
