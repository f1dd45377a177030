"""Vision transformers (Dosovitskiy et al., ICLR 2021) with timm's key names."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from haq.zoo.classifier import Classifier
from quant.errors import ModelError

WIDENING = 4
"""The hidden layer of a perceptron is so many times as wide as a token."""
EPSILON = 1e-6
SPREAD = 0.02
"""Standard deviation of the class token and the positions before training."""


class Size(NamedTuple):
    """Pixels a side of a patch, numbers of a token, blocks, and heads of each."""

    patch: int
    dims: int
    depth: int
    heads: int


TINY = Size(16, 192, 12, 3)
"""DeiT-tiny (Touvron et al., ICML 2021, Table 1)."""


class PatchEmbed(nn.Module):
    """Patches of an image as tokens."""

    def __init__(self, size: Size, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, size.dims, size.patch, size.patch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, H W / patch^2, dims)."""
        patches: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return patches


class Attention(nn.Module):
    """Attention of tokens to each other (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.dims, 3 * size.dims)
        self.proj = nn.Linear(size.dims, size.dims)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dims) -> the same shape."""
        heads = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads.unbind(0)
        found = F.scaled_dot_product_attention(queries, keys, values)
        joined: Tensor = self.proj(found.transpose(1, 2).flatten(2))
        return joined


class Mlp(nn.Module):
    """A perceptron for each token."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.fc1, self.act = nn.Linear(dims, WIDENING * dims), nn.GELU()
        self.fc2 = nn.Linear(WIDENING * dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dims) -> the same shape."""
        found: Tensor = self.fc2(self.act(self.fc1(x)))
        return found


class Block(nn.Module):
    """Attention and a perceptron, each behind a norm and with a shortcut."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(size.dims, EPSILON), Attention(size)
        self.norm2, self.mlp = nn.LayerNorm(size.dims, EPSILON), Mlp(size.dims)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dims) -> the same shape."""
        x = x + self.attn(self.norm1(x))
        found: Tensor = x + self.mlp(self.norm2(x))
        return found


class VisionTransformer(Classifier):
    """Classifies by a token of its own that goes through the blocks with the image's patches.

    There is a position embedding for each patch, so weights are for one input size.
    """

    def __init__(self, size: Size, classes: int, channels: int, input_size: int) -> None:
        """Raises ModelError for inputs that are no whole number of patches."""
        super().__init__()
        if input_size % size.patch:
            raise ModelError(
                f"a transformer with patches of {size.patch} pixels takes inputs of multiples of "
                f"{size.patch} pixels a side"
            )
        tokens = 1 + (input_size // size.patch) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, size.dims))
        self.patch_embed = PatchEmbed(size, channels)
        self.blocks = nn.Sequential(*(Block(size) for _ in range(size.depth)))
        self.norm = nn.LayerNorm(size.dims, EPSILON)
        self.head = nn.Linear(size.dims, classes)
        self._initialise()

    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        patches = self.patch_embed(x)
        first = self.cls_token.expand(x.shape[0], -1, -1)
        tokens = self.blocks(torch.cat([first, patches], 1) + self.pos_embed)
        found: Tensor = self.head(self.norm(tokens)[:, 0])
        return found

    def _initialise(self) -> None:
        """Xavier for linear layers, as in the paper's code; nothing without memory."""
        if self.cls_token.is_meta:
            return
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.cls_token, std=SPREAD)
        nn.init.normal_(self.pos_embed, std=SPREAD)


def vit_tiny(classes: int, channels: int, input_size: int) -> VisionTransformer:
    """timm's vit_tiny_patch16_224."""
    return VisionTransformer(TINY, classes, channels, input_size)
