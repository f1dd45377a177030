from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from haq.data.fashion_mnist import load_sample
from haq.prepare import to_tensor
from haq.zoo import NetConfig
from haq.zoo.random_weights import random_images, random_network
from tests.haq.zoo.published import PUBLISHED

MOST, LEAST = 10.0, 0.1
"""Of the deviation behind a batch norm, which is 1 on the images that it was counted on."""


def deviations(net: nn.Module, images: Tensor) -> tuple[list[float], Tensor]:
    found: list[float] = []
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda _, __, out: found.append(float(out.std())))
    with torch.no_grad():
        return found, net(images)


@pytest.mark.parametrize("model", PUBLISHED)
def test_activations_of_real_images_neither_die_nor_explode(model: str) -> None:
    images = to_tensor(load_sample("validation").rows(0, 31))
    found, logits = deviations(random_network(NetConfig(model)), images)
    assert all(LEAST < deviation < MOST for deviation in found)
    assert len(set(logits.argmax(1).flatten().tolist())) >= 4
    assert 0.5 < logits.std(dim=0).median() < 20


def test_the_same_network_at_each_call() -> None:
    state = random_network(NetConfig("mbv3_small")).state_dict()
    torch.rand(1)
    again = random_network(NetConfig("mbv3_small")).state_dict()
    assert all(torch.equal(state[name], again[name]) for name in state)


def test_nobody_elses_random_numbers_are_touched() -> None:
    before = torch.random.get_rng_state()
    random_network(NetConfig("squeezenet", 16))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_network_is_left_as_it_would_be_evaluated() -> None:
    net = random_network(NetConfig("mbv3_small"))
    assert not any(module.training for module in net.modules())
    momenta = {module.momentum for module in net.modules() if isinstance(module, nn.BatchNorm2d)}
    assert momenta == {0.01}


def test_random_images_have_a_black_border_and_fill_the_range() -> None:
    images = random_images(NetConfig("mbv2", 48, 3))
    assert images.shape[1:] == (3, 48, 48)
    assert (float(images.min()), float(images.max())) == (-1, 1)
    assert (images[:, :, :8] == -1).all()
    assert (images[:, :, 8:-8, 8:-8] > -1).any(dim=(1, 2, 3)).float().mean() > 0.7
