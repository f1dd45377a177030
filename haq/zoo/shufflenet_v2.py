"""ShuffleNetV2 at width 1.0 (Ma et al., ECCV 2018, Table 5) with torchvision's key names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from haq.zoo.classifier import Classifier
from haq.zoo.layers import initialise, plain_conv, stem_stride

STEM, HEAD = 24, 1024
STAGES = {"stage2": (116, 4), "stage3": (232, 8), "stage4": (464, 4)}
"""Channels and blocks."""


class Unit(nn.Module):
    """Half of the channels goes through three convolutions, then the halves are mixed.

    With stride 2 both halves are made from all channels.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        half = c_out // 2
        self.splits = stride == 1
        self.branch1 = nn.Sequential()
        if not self.splits:
            self.branch1 = nn.Sequential(*depthwise(c_in, stride), *pointwise(c_in, half))
        self.branch2 = nn.Sequential(
            *pointwise(half if self.splits else c_in, half),
            *depthwise(half, stride),
            *pointwise(half, half),
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H/stride, W/stride)."""
        kept, changed = x.chunk(2, dim=1) if self.splits else (self.branch1(x), x)
        mixed: Tensor = self.shuffle(torch.cat((kept, self.branch2(changed)), dim=1))
        return mixed


class ShuffleNetV2(Classifier):
    """Three stages of units, each of which begins with stride 2."""

    def __init__(self, classes: int, channels: int, input_size: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*conv_bn_relu(channels, STEM, 3, stem_stride(input_size)))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        c_in = STEM
        for name, (width, count) in STAGES.items():
            units = [Unit(c_in, width, 2)] + [Unit(width, width, 1) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(*units))
            c_in = width
        self.conv5 = nn.Sequential(*pointwise(c_in, HEAD))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(HEAD, classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        x = self.maxpool(self.conv1(x))
        for name in STAGES:
            x = self.get_submodule(name)(x)
        found: Tensor = self.fc(self.pool(self.conv5(x)).flatten(1))
        return found


def conv_bn_relu(c_in: int, c_out: int, kernel: int, stride: int) -> list[nn.Module]:
    """Convolution, batch norm, ReLU."""
    convolution = plain_conv(c_in, c_out, kernel, stride)
    return [convolution, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


def pointwise(c_in: int, c_out: int) -> list[nn.Module]:
    """1x1 convolution, batch norm, ReLU."""
    return conv_bn_relu(c_in, c_out, 1, 1)


def depthwise(channels: int, stride: int) -> list[nn.Module]:
    """3x3 depthwise convolution and batch norm."""
    return [plain_conv(channels, channels, 3, stride, channels), nn.BatchNorm2d(channels)]
