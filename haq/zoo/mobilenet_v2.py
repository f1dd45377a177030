"""MobileNetV2 (Sandler et al., CVPR 2018, Table 2) with torchvision's key names."""

from typing import NamedTuple

from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.layers import SamePadConv2d


class Stage(NamedTuple):
    """A row of Table 2: expansion, output channels, repeats, stride of the first block."""

    expand: int
    channels: int
    repeats: int
    stride: int


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
HEAD_CHANNELS = 1280
SMALL_INPUT = 64
"""Inputs up to this side keep full resolution in the stem (stride 1), as usual for 32x32."""


def scale_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor` without losing more than 10 % (section 4 of the paper)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def conv(
    c_in: int, c_out: int, kernel: int, stride: int, groups: int, size: int, padding: Padding
) -> nn.Conv2d:
    """A convolution without bias whose padding follows torch or TensorFlow."""
    if padding == "same":
        return SamePadConv2d(c_in, c_out, kernel, stride, groups, size)
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)


def conv_bn_relu(
    c_in: int, c_out: int, kernel: int, stride: int, groups: int, size: int, padding: Padding
) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(
        conv(c_in, c_out, kernel, stride, groups, size, padding),
        nn.BatchNorm2d(c_out),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection; a skip where the shapes allow."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, expand: int, size: int, padding: Padding
    ) -> None:
        super().__init__()
        hidden = c_in * expand
        widen = [] if expand == 1 else [conv_bn_relu(c_in, hidden, 1, 1, 1, size, padding)]
        self.conv = nn.Sequential(
            *widen,
            conv_bn_relu(hidden, hidden, 3, stride, hidden, size, padding),
            nn.Conv2d(hidden, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.skip = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H/stride, W/stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.skip else out


class MobileNetV2(nn.Module):
    """MobileNetV2 for square inputs of `input_size` pixels a side."""

    def __init__(
        self,
        classes: int,
        channels: int,
        input_size: int,
        width: float = 1.0,
        padding: Padding = "torch",
    ) -> None:
        super().__init__()
        stem_stride = 1 if input_size <= SMALL_INPUT else 2
        c_in = scale_channels(32 * width)
        blocks: list[nn.Module] = [
            conv_bn_relu(channels, c_in, 3, stem_stride, 1, input_size, padding)
        ]
        size = -(-input_size // stem_stride)
        for stage in STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                c_out = scale_channels(stage.channels * width)
                blocks.append(InvertedResidual(c_in, c_out, stride, stage.expand, size, padding))
                c_in, size = c_out, -(-size // stride)
        head = scale_channels(HEAD_CHANNELS * max(1.0, width))
        blocks.append(conv_bn_relu(c_in, head, 1, 1, 1, size, padding))
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(head, classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        logits: Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return logits


def initialise(net: nn.Module) -> None:
    """Kaiming for convolutions, N(0, 0.01) for linear layers, as torchvision does."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
