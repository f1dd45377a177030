from __future__ import annotations

import pytest
import torch

from haq.data.faces import CLASSES, draw_faces
from haq.metrics.f1 import by_class
from haq.train import predict
from haq.zoo import NetConfig, build, load
from haq.zoo.counts import count
from haq.zoo.random_weights import random_network
from haq.zoo.registry import published_config
from haq.zoo.sources import PACKAGED
from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.trace import trace

OURS = published_config("mbv2_seg")


@pytest.mark.parametrize("size", [16, 48, 64, 128])
def test_every_pixel_has_logits(size: int) -> None:
    with torch.device("meta"):
        net = build(NetConfig("mbv2_seg", size, 1, 5)).eval()
        assert net(torch.zeros(2, 1, size, size)).shape == (2, 5, size, size)


@pytest.mark.parametrize("size", [8, 65, 72])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ModelError, match="multiples of 16 pixels"):
        build(NetConfig("mbv2_seg", size, 3, 8))


def test_it_is_small() -> None:
    params, macs, layers = count(OURS)
    assert (params, macs, layers) == (94_984, 10_965_504, 28)
    assert PACKAGED["mbv2_seg"].stat().st_size < 2**20


def test_the_traced_network_computes_the_same() -> None:
    net = random_network(NetConfig("mbv2_seg", 32, 3, 8))
    network = trace(net, (3, 32, 32))
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), net(x), atol=1e-3, rtol=1e-4)
    layers = network.graph.layers
    _, macs, layer_count = count(NetConfig("mbv2_seg", 32, 3, 8))
    assert (sum(layer.macs for layer in layers), len(layers)) == (macs, layer_count)


def test_every_scale_reaches_the_output() -> None:
    network = trace(build(OURS).eval(), (3, 64, 64))
    sums = [node for node in network.graph.nodes if node.name.startswith("add")]
    assert {node.shape for node in sums} >= {(32, side, side) for side in (8, 16, 32)}
    assert network.graph.nodes[-1].shape == (8, 64, 64)


def test_packaged_weights_find_every_part_of_faces_never_seen() -> None:
    net, config = load("mbv2_seg", None)
    assert config == OURS
    faces = draw_faces(50, (99,))
    found = dict(zip(CLASSES, by_class(predict(net, faces), faces.labels), strict=True))
    assert min(found.values()) > 0.85
    assert min(found["background"], found["skin"]) > 0.95
