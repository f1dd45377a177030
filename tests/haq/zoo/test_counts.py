from __future__ import annotations

import pytest

from haq.zoo import NetConfig
from haq.zoo.config import IMAGENET
from haq.zoo.counts import count
from haq.zoo.random_weights import random_network
from quant.trace import trace
from tests.haq.zoo.published import PUBLISHED


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_counts(model: str) -> None:
    channels, classes, side = IMAGENET
    counts = count(NetConfig(model, side, channels, classes))
    assert counts == PUBLISHED[model][:3], PUBLISHED[model].origin


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_traced_network_counts_the_same(model: str) -> None:
    config = NetConfig(model)
    layers = trace(random_network(config), (1, 32, 32)).graph.layers
    _, macs, count_ = count(config)
    assert (sum(layer.macs for layer in layers), len(layers)) == (macs, count_)
