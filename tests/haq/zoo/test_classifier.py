from __future__ import annotations

import torch
from torch import Tensor, nn

from haq.zoo import NetConfig, build
from haq.zoo.classifier import Classifier, normalisation
from quant.float_net import FloatNet
from quant.trace import trace

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Means(Classifier):
    """Its logits are the means of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def logits(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_normalised_images_are_what_libraries_make_of_pixels() -> None:
    pixels = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    found = normalisation(MEAN, STD)(pixels * 2 - 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_normalisation_goes_first_and_has_no_keys() -> None:
    net, images = Means().eval(), torch.zeros(1, 3, 4, 4)
    keys = list(net.state_dict())
    assert not net(images).any()
    net.normalise = normalisation(MEAN, STD)
    expected = (0.5 - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(net(images)[0], expected)
    assert list(net.state_dict()) == keys


def test_the_normalisation_is_traced_as_a_scale() -> None:
    net = build(NetConfig("mbv3_small", 32, 3)).eval()
    assert isinstance(net, Classifier)
    net.normalise = normalisation(MEAN, STD)
    network = trace(net, (3, 32, 32))
    assert [node.op for node in network.graph.nodes[:3]] == ["input", "scale", "conv"]
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(images), net(images))
