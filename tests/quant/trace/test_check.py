from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from quant.errors import ModelError
from quant.graph import Network
from quant.trace import trace
from quant.trace.check import check, probe

SHAPE = (3, 6, 6)


def made() -> tuple[nn.Module, Network]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 5)).eval()
    return net, trace(net, SHAPE)


def test_what_was_read_rightly_passes() -> None:
    net, network = made()
    with torch.no_grad():
        check(network, probe(SHAPE), net(probe(SHAPE)))


def test_what_was_misread_is_refused() -> None:
    net, network = made()
    weights = {name: replace(part, bias=part.bias + 0.1) for name, part in network.weights.items()}
    with torch.no_grad(), pytest.raises(ModelError, match="gives other outputs than yours"):
        check(replace(network, weights=weights), probe(SHAPE), net(probe(SHAPE)))


def test_a_softmax_at_the_end_makes_no_difference() -> None:
    net, network = made()
    with torch.no_grad():
        logits = net(probe(SHAPE))
    check(network, probe(SHAPE), logits.softmax(1))
    check(network, probe(SHAPE), logits.log_softmax(1))
    with pytest.raises(ModelError, match="gives other outputs"):
        check(network, probe(SHAPE), logits.sigmoid())


def test_outputs_that_are_not_finite_say_nothing() -> None:
    _, network = made()
    check(network, probe(SHAPE), torch.full((2, 5), float("nan")))
