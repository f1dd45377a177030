"""Blocks as the published networks have them, written small."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.quant.networks import Case, case_of, conv_bn
from tests.quant.parts import (
    ChannelAttention,
    CoordinateAttention,
    LinearSqueezeExcite,
    SelfAttention,
    SpatialAttention,
    SqueezeExcite,
    deal,
)


class MobileNetV3Block(nn.Module):
    """An inverted residual with squeeze-excite and hard-swish (Howard et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 16, 3, 2), nn.Hardswish())
        self.block = nn.Sequential(
            *(conv_bn(16, 40, 1), nn.Hardswish(inplace=True)),
            *(conv_bn(40, 40, 5, groups=40), nn.Hardswish(inplace=True)),
            SqueezeExcite(40, 8, nn.Hardsigmoid()),
            conv_bn(40, 16, 1),
        )
        self.last = nn.Sequential(conv_bn(16, 32, 1), nn.Hardswish())
        self.classifier = nn.Sequential(
            nn.Linear(32, 24), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(24, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.last(x + self.block(x))
        logits: Tensor = self.classifier(x.mean([2, 3]))
        return logits


class EfficientNetBlock(nn.Module):
    """Swish, a sigmoid gate, linear squeeze-excite, and a product that ends the block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3), nn.SiLU())
        self.gated = SqueezeExcite(12, 3, nn.Sigmoid())
        self.project = conv_bn(12, 8, 1)
        self.linear_gated = LinearSqueezeExcite(8)
        self.classifier = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear_gated(self.project(self.gated(self.stem(x))))
        logits: Tensor = self.classifier(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))
        return logits


class ShuffleNetBlock(nn.Module):
    """The units of ShuffleNetV2 (Ma et al. 2018), strided and not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.left = nn.Sequential(
            conv_bn(12, 12, 3, 2, groups=12), conv_bn(12, 12, 1), nn.ReLU(inplace=True)
        )
        self.right = nn.Sequential(
            *(conv_bn(12, 12, 1), nn.ReLU()),
            *(conv_bn(12, 12, 3, 2, groups=12), conv_bn(12, 12, 1), nn.ReLU()),
        )
        self.plain = nn.Sequential(
            *(conv_bn(12, 12, 1), nn.ReLU()),
            *(conv_bn(12, 12, 3, groups=12), conv_bn(12, 12, 1), nn.ReLU()),
        )
        self.shuffle = nn.ChannelShuffle(2)
        self.last = nn.Sequential(conv_bn(24, 20, 1), nn.ReLU())
        self.classifier = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = deal(torch.cat((self.left(x), self.right(x)), dim=1), 2)
        kept, changed = x.chunk(2, dim=1)
        x = self.shuffle(torch.cat((kept, self.plain(changed)), 1))
        logits: Tensor = self.classifier(self.last(x).mean((-2, -1)))
        return logits


class SqueezeNetBlock(nn.Module):
    """Fire modules (Iandola et al. 2016) between pools that round up; it ends in a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.squeeze = nn.Sequential(nn.Conv2d(16, 6, 1), nn.ReLU(inplace=True))
        self.ones = nn.Sequential(nn.Conv2d(6, 10, 1), nn.ReLU(inplace=True))
        self.threes = nn.Sequential(nn.Conv2d(6, 12, 3, padding=1), nn.ReLU(inplace=True))
        self.average = nn.AvgPool2d(2, 2, ceil_mode=True)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(22, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(self.pool(self.stem(x)))
        x = torch.cat([self.ones(x), self.threes(x)], 1)
        logits: Tensor = torch.flatten(self.classifier(self.average(x)), 1)
        return logits


class BottleneckBlock(nn.Module):
    """ResNet's bottleneck with a shortcut by convolution (He et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8, 3), nn.ReLU())
        self.block = nn.Sequential(
            *(conv_bn(8, 8, 1), nn.ReLU()),
            *(conv_bn(8, 8, 3, 2), nn.ReLU()),
            conv_bn(8, 32, 1),
        )
        self.shortcut = conv_bn(8, 32, 1, 2)
        self.classifier = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(self.block(x) + self.shortcut(x), inplace=True)
        logits: Tensor = self.classifier(F.avg_pool2d(x, x.size()[2:]).view(x.size(0), -1))
        return logits


class DecoderBlock(nn.Module):
    """What makes images larger, norms that follow no convolution, and a flattened image."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.BatchNorm2d(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.LeakyReLU(0.2))
        self.inner = nn.Sequential(nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 8, 3, 2, 1))
        self.up = nn.ConvTranspose2d(8, 12, 3, 2, 1, output_padding=1)
        self.depthwise = nn.ConvTranspose2d(12, 12, 4, 2, 1, groups=12)
        self.last = nn.Conv2d(15, 4, 3, padding="same", bias=False)
        self.pool = nn.AdaptiveAvgPool2d((4, 5))
        self.classifier = nn.Linear(80, 10)

    def forward(self, x: Tensor) -> Tensor:
        image = self.before(x)
        x = self.stem(image)
        inner = self.inner(x)
        x = self.depthwise(x + self.up(inner))
        wide = F.interpolate(inner[:, 2:5], scale_factor=4, mode="bilinear", align_corners=False)
        x = self.last(torch.cat([x, wide + image], 1))
        logits: Tensor = self.classifier(torch.flatten(self.pool(x), 1))
        return logits


class PyramidBlock(nn.Module):
    """Pyramid pooling (He et al. 2015) by cells that do not divide an enlarged image evenly."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3, 2), nn.ReLU6())
        self.wide = nn.Sequential(nn.AdaptiveAvgPool2d((8, 3)), nn.Conv2d(12, 6, 1))
        self.classifier = nn.Linear(12 * 5 + 6 * 24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.stem(x), None, 2, "bilinear", align_corners=True)
        pools = [F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, 2), self.wide(x)]
        logits: Tensor = self.classifier(torch.cat([pool.flatten(1) for pool in pools], 1))
        return logits


class TransformerBlock(nn.Module):
    """A small vision transformer (Dosovitskiy et al. 2021), as users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, 24))
        self.positions = nn.Parameter(torch.randn(1, 13, 24))
        self.norms = nn.ModuleList(nn.LayerNorm(24) for _ in range(4))
        self.attentions = nn.ModuleList((SelfAttention(24, 3, False), SelfAttention(24, 2, True)))
        self.mlp = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))
        self.classifier = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.first.expand(x.shape[0], -1, -1), x), dim=1) + self.positions
        for norm, attention in zip(self.norms, self.attentions, strict=False):
            x = x + attention(norm(x))
        x = x + self.mlp(self.norms[2](x))
        logits: Tensor = self.classifier(self.norms[3](x)[:, 0])
        return logits


class FocusBlock(nn.Module):
    """Pixels in steps as channels (YOLOv5), then attention by channels and by coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(12, 16, 3), nn.SiLU())
        self.channels = ChannelAttention(3)
        self.middle = nn.Sequential(conv_bn(16, 16, 3, groups=16), nn.ReLU6())
        self.coordinates = CoordinateAttention(16, 8)
        self.last = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(16, 20, 3), nn.SELU())
        self.classifier = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        parts = (x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2])
        x = self.channels(self.stem(torch.cat(parts, 1)))
        x = self.last(x[:, :, 1:] + self.coordinates(self.middle(x))[:, :, :-1])
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class RetrievalBlock(nn.Module):
    """Means of powers of what was normalised, as features for retrieval have them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3, 2), nn.ReLU())
        self.block = nn.Sequential(conv_bn(12, 12, 3, groups=12), nn.ReLU6(), conv_bn(12, 24, 1))
        self.classifier = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.normalize(self.block(self.stem(x)), dim=1)
        x = F.adaptive_avg_pool2d(torch.abs(x).clamp(min=1e-6).pow(2.5), 1) ** (1 / 2.5)
        logits: Tensor = self.classifier(F.normalize(x.flatten(1)) + torch.sqrt(x.flatten(1) ** 2))
        return logits


class FaceBlock(nn.Module):
    """What else is found between layers: slopes of its own, norms of what is read, pixels made."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 12, 3, 2), nn.PReLU(12))
        self.block = nn.Sequential(
            *(conv_bn(12, 12, 3, groups=12), nn.ReLU()),
            *(nn.Conv2d(12, 24, 1, bias=False), nn.GroupNorm(4, 24), nn.Mish()),
            *(
                SpatialAttention(),
                nn.Conv2d(24, 12, 3, 1, 1),
                nn.InstanceNorm2d(12, affine=True),
                nn.PReLU(),
            ),
        )
        self.larger = nn.Sequential(nn.Conv2d(12, 16, 1), nn.PixelShuffle(2), nn.ELU(0.5))
        self.last = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.Hardtanh(-1, 2), nn.Tanh())
        self.classifier = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.last(self.larger(x + self.block(x)))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class ConvNeXtBlock(nn.Module):
    """Layers of pixels whose channels come last (Liu et al. 2022), and a norm of what is pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 2, 2), nn.ReLU())
        self.depthwise = nn.Conv2d(12, 12, 5, padding=2, groups=12)
        self.norm = nn.LayerNorm(12, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))
        self.gamma = nn.Parameter(torch.full((12,), 0.5))
        self.last = nn.LayerNorm(12)
        self.classifier = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        pixels = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        x = x + (self.gamma * self.mlp(pixels)).permute(0, 3, 1, 2)
        logits: Tensor = self.classifier(self.last(x.mean((2, 3))))
        return logits


class ResNeXtBlock(nn.Module):
    """A bottleneck in groups (Xie et al. 2017), which have 8, 16 and 6 outputs, two in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 16, 3, 2), nn.ReLU(inplace=True))
        self.block = nn.Sequential(
            *(conv_bn(16, 32, 1), nn.ReLU(inplace=True)),
            *(conv_bn(32, 32, 3, groups=4), nn.ReLU(inplace=True)),
            conv_bn(32, 16, 1),
        )
        self.last = nn.Sequential(conv_bn(16, 32, 3, 2, 2), nn.ReLU(), conv_bn(32, 24, 1, groups=4))
        self.classifier = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.last(torch.relu(x + self.block(x)))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


BLOCKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "mobile v3": (MobileNetV3Block, (3, 18, 18)),
    "efficient": (EfficientNetBlock, (3, 8, 10)),
    "shuffle": (ShuffleNetBlock, (3, 30, 26)),
    "squeeze": (SqueezeNetBlock, (3, 29, 24)),
    "resnext": (ResNeXtBlock, (3, 16, 14)),
    "bottleneck": (BottleneckBlock, (3, 12, 12)),
    "decoder": (DecoderBlock, (3, 16, 20)),
    "face": (FaceBlock, (3, 14, 10)),
    "focus": (FocusBlock, (3, 14, 12)),
    "retrieval": (RetrievalBlock, (3, 14, 12)),
    "pyramid": (PyramidBlock, (3, 14, 10)),
    "convnext": (ConvNeXtBlock, (3, 12, 16)),
    "transformer": (TransformerBlock, (3, 16, 12)),
}


@cache
def block(kind: str) -> Case:
    return case_of(*BLOCKS[kind])
