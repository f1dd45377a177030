"""ResNet (He et al., CVPR 2016, Table 1) with torchvision's key names."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from haq.zoo.classifier import Classifier
from haq.zoo.layers import initialise, plain_conv, stem_stride

STAGES = (64, 128, 256, 512)
BOTTLENECK = 4
"""The output of a bottleneck is so many times as wide as its middle."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = plain_conv(c_in, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = plain_conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = shortcut(c_in, width, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, width, H/stride, W/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        activated: Tensor = self.relu(out + self.downsample(x))
        return activated


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the 3x3 one has the stride (version 1.5)."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        c_out = BOTTLENECK * width
        self.conv1, self.bn1 = plain_conv(c_in, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = plain_conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = plain_conv(width, c_out, 1), nn.BatchNorm2d(c_out)
        self.downsample = shortcut(c_in, c_out, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, 4 width, H/stride, W/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        activated: Tensor = self.relu(out + self.downsample(x))
        return activated


class ResNet(Classifier):
    """A residual network with so many blocks in each of its four stages."""

    def __init__(
        self,
        block: Callable[[int, int, int], nn.Module],
        widening: int,
        repeats: tuple[int, int, int, int],
        classes: int,
        channels: int,
        input_size: int,
    ) -> None:
        """The output of a `block` is `widening` times as wide as its stage."""
        super().__init__()
        self.conv1 = plain_conv(channels, STAGES[0], 7, stem_stride(input_size))
        self.bn1, self.relu = nn.BatchNorm2d(STAGES[0]), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        c_in = STAGES[0]
        for number, (width, count) in enumerate(zip(STAGES, repeats, strict=True), 1):
            blocks = [block(c_in, width, 1 if number == 1 else 2)]
            c_in = widening * width
            blocks += [block(c_in, width, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(c_in, classes)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        found: Tensor = self.fc(self.avgpool(x).flatten(1))
        return found


def resnet18(classes: int, channels: int, input_size: int) -> ResNet:
    """18 layers with weights, not counting shortcuts."""
    return ResNet(BasicBlock, 1, (2, 2, 2, 2), classes, channels, input_size)


def resnet50(classes: int, channels: int, input_size: int) -> ResNet:
    """50 layers with weights, not counting shortcuts."""
    return ResNet(Bottleneck, BOTTLENECK, (3, 4, 6, 3), classes, channels, input_size)


def shortcut(c_in: int, c_out: int, stride: int) -> nn.Module:
    """A 1x1 convolution where a block changes size or channels, else nothing."""
    if stride == 1 and c_in == c_out:
        return nn.Identity()
    return nn.Sequential(plain_conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))
