from __future__ import annotations

import pytest
import torch

from haq.zoo import NetConfig, build
from haq.zoo.counts import count
from haq.zoo.random_weights import random_network
from haq.zoo.vit import Attention, Size, VisionTransformer
from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.trace import trace

CONFIG = NetConfig("vit_tiny", 32, 1, 10)


def test_attention_mixes_tokens_by_head() -> None:
    """By the formula of Vaswani et al. 2017, 3.2: softmax(Q K^T / sqrt(d)) V."""
    module, x = Attention(Size(16, 6, 1, 2)), torch.randn(2, 5, 6)
    q, k, v = module.qkv(x).chunk(3, 2)
    parts = []
    for head in (slice(0, 3), slice(3, 6)):
        chances = (q[..., head] @ k[..., head].mT / 3**0.5).softmax(-1)
        parts.append(chances @ v[..., head])
    torch.testing.assert_close(module(x), module.proj(torch.cat(parts, 2)))


def test_the_traced_network_is_the_module() -> None:
    net, images = random_network(CONFIG), torch.rand(3, 1, 32, 32) * 2 - 1
    network = trace(net, (1, 32, 32))
    with torch.no_grad():
        expected = net(images)
    torch.testing.assert_close(FloatNet(network).logits(images), expected, rtol=1e-4, atol=1e-3)
    names = network.graph.layer_names
    assert names[:4] == (
        "patch_embed.proj",
        "blocks.0.attn.qkv",
        "blocks.0.attn.scores",
        "blocks.0.attn.context",
    )
    assert len(names) == 1 + 12 * 6 + 1
    kinds = list(network.graph.stays_float.values())
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        **{"layer_norm": 25, "softmax": 12, "gelu": 12, "prepend": 1, "shift": 1}
    }


def test_macs_are_linear_layers_and_both_products_of_each_block() -> None:
    """At 224 pixels: 196 patches and the class token, 192 numbers each."""
    tokens, dims = 197, 192
    linear = 12 * tokens * dims * (3 * dims + dims + 2 * 4 * dims)
    products = 12 * 2 * tokens * tokens * dims
    patches, head = 196 * dims * 3 * 16 * 16, dims * 1000
    counts = count(NetConfig("vit_tiny", 224, 3, 1000))
    assert counts == (5_717_416, patches + linear + products + head, 74)


def test_positions_are_for_one_size() -> None:
    shapes = [
        build(NetConfig("vit_tiny", side, 3, 10)).state_dict()["pos_embed"].shape[1]
        for side in (32, 224)
    ]
    assert shapes == [5, 197]


def test_inputs_of_other_than_whole_patches_are_refused() -> None:
    with pytest.raises(ModelError, match="multiples of 16 pixels"):
        build(NetConfig("vit_tiny", 40, 3, 10))


def test_a_forward_depends_on_every_patch() -> None:
    net = VisionTransformer(Size(4, 12, 2, 3), 5, 1, 8).eval()
    images = torch.zeros(5, 1, 8, 8)
    for index, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        images[index + 1, 0, top : top + 4, left : left + 4] = 1
    with torch.no_grad():
        logits = net(images)
    assert len({tuple(row) for row in logits.tolist()}) == 5
