"""Networks of tokens as users write them, by torch.fx and by torch.export; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.graph import Network
from quant.trace import trace
from quant.trace.aten_reader import export, read_pt2
from tests.quant.blocks import block

SHAPE = (3, 8, 12)
Then = Callable[[Any, Tensor], Tensor]


class Tokenised(nn.Module):
    """Six tokens of twelve numbers, whatever `then` does with them, and a layer of one vector."""

    def __init__(self, then: Then) -> None:
        super().__init__()
        self.then = then
        self.patches, self.head = nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 5)
        self.norm, self.act = nn.LayerNorm(12), nn.GELU()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.other = nn.MultiheadAttention(12, 3)
        self.gamma, self.first = nn.Parameter(torch.randn(12)), nn.Parameter(torch.randn(1, 1, 12))
        self.drop, self.softmax = nn.Dropout(), nn.Softmax(dim=-1)
        self.tanh = nn.GELU(approximate="tanh")

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        found: Tensor = self.head(self.then(self, tokens))
        return found


def seen(x: Tensor, heads: int = 3) -> Tensor:
    count, tokens, dims = x.shape
    return x.view(count, tokens, heads, dims // heads).transpose(1, 2)


def twice(x: Tensor) -> Tensor:
    return torch.cat([x, x], 1)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def by_softmax(net: Any, x: Tensor) -> Tensor:
    heads = seen(x)
    return joined(net.softmax(heads @ heads.transpose(2, 3) / 2.0) @ heads)[:, 0]


def by_chunks(net: Any, x: Tensor) -> Tensor:
    both = torch.cat([net.first.expand(x.size(0), 2, 12), x], dim=1)
    one, other = both.chunk(2, dim=1)
    return (one + other).mean(1)


def by_split(net: Any, x: Tensor) -> Tensor:
    one, other = torch.split(x, [2, 4], 1)
    found: Tensor = one[:, 1] + other[:, -1]
    return found


ACCEPTED: dict[str, Then] = {
    "one token": lambda net, x: x[:, 2],
    "a norm of one token": lambda net, x: net.norm(x[:, 2]),
    "a norm and their mean": lambda net, x: net.act(net.norm(x)).mean(dim=1),
    "a factor a channel": lambda net, x: net.drop(x + net.gamma * net.norm(x)).mean(1),
    "a number": lambda net, x: (0.5 * x / 3).mean(1),
    "activations": lambda net, x: F.silu(F.relu(F.hardswish(F.relu6(x)))).mean(1),
    "a softmax module": by_softmax,
    "constant tokens and chunks": by_chunks,
    "splits": by_split,
    "scaled queries": lambda net, x: (
        by_softmax(net, 0.7 * x)
        + joined((seen(x) * 0.3 @ seen(x).transpose(-2, -1)).softmax(-1) @ seen(x))[:, 2]
    ),
    "attention with a scale": lambda net, x: joined(
        F.scaled_dot_product_attention(seen(x), seen(net.norm(x)), seen(x), scale=0.3)
    )[:, 1],
}


def check(network: Network, net: nn.Module) -> None:
    images = torch.randn(3, *SHAPE)
    with torch.no_grad():
        expected = net(images)
    torch.testing.assert_close(FloatNet(network).logits(images), expected, rtol=1e-4, atol=1e-5)


def made(then: Then) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tokenised(then).eval()


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("read", [trace, export])
def test_what_users_write(name: str, read: Callable[..., Network]) -> None:
    net = made(ACCEPTED[name])
    check(read(net, SHAPE), net)


def test_torch_s_own_attention() -> None:
    net = made(lambda net, x: (x + net.attention(x, x, x, need_weights=False)[0]).mean(1))
    network = trace(net, SHAPE)
    check(network, net)
    assert network.graph.layer_names == (
        "patches",
        "attention.in_proj",
        "attention.scores",
        "attention.context",
        "attention.out_proj",
        "head",
    )


@pytest.mark.parametrize(
    ("then", "cause"),
    [
        (lambda net, x: net.other(x, x, x)[0].mean(1), "with batch_first=True and without masks"),
        (lambda net, x: net.attention(x, net.norm(x), x)[0].mean(1), "to themselves"),
        (lambda net, x: net.tanh(x).mean(1), "only approximate='none'"),
        (lambda net, x: F.gelu(x, approximate="tanh").mean(1), "only approximate='none'"),
        (lambda net, x: (x * x).mean(1), "multiplies tokens with each other"),
        (lambda net, x: (1 / x).mean(1), "divides by what is no constant"),
        (lambda net, x: twice(x.mean(2)), "only the mean of all tokens"),
        (lambda net, x: torch.cat([x, net.first.expand(2, 1, 12)], 1).mean(1), "constant ones"),
        (
            lambda net, x: twice((x @ x.transpose(1, 2)).mean(1)),
            "does not multiply queries and keys",
        ),
        (lambda net, x: x.reshape(2, 12, 6).mean(2), "mean of all tokens"),
        (lambda net, x: net.norm(x.reshape(2, 4, 18)[:, :, :12])[:, 0], "in an order that is not"),
        (lambda net, x: x.cumsum(1)[:, 0], "'cumsum' is not supported on tokens"),
        (
            lambda net, x: joined(
                F.scaled_dot_product_attention(seen(x), seen(x), seen(x), is_causal=True)
            )[:, 0],
            "only attention to all tokens",
        ),
    ],
)
def test_what_is_refused_by_name(then: Then, cause: str) -> None:
    with pytest.raises(ModelError, match=cause):
        trace(made(then), SHAPE)


@pytest.mark.parametrize("free", [False, True])
def test_a_saved_transformer_comes_back(free: bool, tmp_path: Path) -> None:
    known = block("transformer")
    dynamic = ({0: torch.export.Dim("batch", min=2)},) if free else None
    program = torch.export.export(known.module, (known.images[:2],), dynamic_shapes=dynamic)
    torch.export.save(program, tmp_path / "net.pt2")
    network = read_pt2(tmp_path / "net.pt2")
    assert network.graph.layers == known.network.graph.layers
    found, expected = (FloatNet(n).logits(known.images) for n in (network, known.network))
    torch.testing.assert_close(found, expected)
