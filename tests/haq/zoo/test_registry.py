from __future__ import annotations

import pytest
import torch
from torch import nn

from haq.names import Padding
from haq.zoo import NetConfig, build
from haq.zoo.config import IMAGENET
from haq.zoo.registry import ARCHITECTURES, find, published_config
from quant.errors import ModelError
from tests.haq.zoo.published import PUBLISHED, digest

TF_EPSILON = {"mbv3_small", "mbv3_large", "lite0", *(n for n in PUBLISHED if "proxyless" in n)}
WITHOUT_NORMS = ("squeezenet", "vit_tiny")
CONVOLUTIONAL = [model for model in PUBLISHED if model != "vit_tiny"]
"""Networks whose batch norms add 1e-3 to the variance, as TensorFlow's do."""


def imagenet(model: str, padding: Padding = "torch") -> nn.Module:
    channels, classes, side = IMAGENET
    with torch.device("meta"):
        return build(NetConfig(model, side, channels, classes, padding=padding))


def test_every_network_is_published_but_our_own() -> None:
    assert ARCHITECTURES.keys() - {"mbv2_seg"} == PUBLISHED.keys()


def test_networks_are_counted_as_they_are_published() -> None:
    assert published_config("mbv2") == NetConfig("mbv2", 224, 3, 1000)
    assert published_config("mbv2_seg") == NetConfig("mbv2_seg", 64, 3, 8)


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_checkpoints_fit(model: str) -> None:
    state = imagenet(model).state_dict()
    assert digest(state) == PUBLISHED[model].digest, PUBLISHED[model].origin


@pytest.mark.parametrize("model", PUBLISHED)
def test_batch_norms_are_the_networks_own(model: str) -> None:
    norms = [module for module in imagenet(model).modules() if isinstance(module, nn.BatchNorm2d)]
    epsilon = 1e-3 if model in TF_EPSILON else 1e-5
    momentum = 0.01 if model.startswith("mbv3") else 0.1
    expected = set() if model in WITHOUT_NORMS else {(epsilon, momentum)}
    assert {(norm.eps, norm.momentum) for norm in norms} == expected


@pytest.mark.parametrize("size", [16, 32, 65])
@pytest.mark.parametrize("model", CONVOLUTIONAL)
def test_every_input_gives_logits(model: str, size: int) -> None:
    for padding in find(model).paddings:
        with torch.device("meta"):
            net = build(NetConfig(model, size, 1, 7, padding=padding)).eval()
            assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)


@pytest.mark.parametrize("model", CONVOLUTIONAL)
def test_small_inputs_keep_full_resolution_in_the_stem(model: str) -> None:
    for size, stride in ((64, 1), (65, 2)):
        with torch.device("meta"):
            net = build(NetConfig(model, size))
        stem = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
        assert stem.stride == (stride, stride)


@pytest.mark.parametrize("model", ["mbv1", "mbv2"])
def test_a_wider_network_has_more_channels(model: str) -> None:
    with torch.device("meta"):
        widths = [build(NetConfig(model, width=width)) for width in find(model).widths]
    counts = [sum(p.numel() for p in net.parameters()) for net in widths]
    assert counts == sorted(set(counts))


def test_an_alias() -> None:
    assert find("efficientnet_lite0") is find("lite0")
    assert digest(imagenet("efficientnet_lite0").state_dict()) == PUBLISHED["lite0"].digest


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("resnet", r"unknown model 'resnet': did you mean resnet50 or resnet18\?"),
        ("mbv4", r"did you mean mbv2 or mbv1\?"),
        ("nothing-like-it", "'nothing-like-it': `haq models` lists all"),
    ],
)
def test_an_unknown_model_names_the_nearest(model: str, match: str) -> None:
    with pytest.raises(ModelError, match=match) as raised:
        build(NetConfig(model))
    assert "\n" not in str(raised.value)


def test_padding_that_a_network_does_not_have_is_refused() -> None:
    with pytest.raises(ModelError, match="resnet18 has torch's padding alone: leave out --padding"):
        build(NetConfig("resnet18", padding="same"))
