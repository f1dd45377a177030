"""Small torch networks with fixed random weights, traced and calibrated once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quant.calibrate import Ranges, calibrate
from quant.graph import Network
from quant.trace import trace

Shape = tuple[int, int, int]


class PaddedConv2d(nn.Conv2d):
    """Pads for itself: `pads` is (left, right, top, bottom)."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int, pads: tuple[int, int, int, int]
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, bias=False)
        self.pads = pads

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads))


def conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class MobileNet(nn.Module):
    """An inverted residual behind a stem with pads at the bottom and right only."""

    def __init__(self) -> None:
        super().__init__()
        stem = PaddedConv2d(3, 16, 3, 2, (0, 1, 0, 1))
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(16), nn.ReLU6())
        self.widen = nn.Sequential(conv_bn(16, 48, 1), nn.ReLU6())
        self.depthwise = nn.Sequential(conv_bn(48, 48, 3, groups=48), nn.ReLU6(inplace=True))
        self.project = conv_bn(48, 16, 1)
        self.last = nn.Sequential(conv_bn(16, 32, 1), nn.ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.project(self.depthwise(self.widen(x)))
        logits: Tensor = self.classifier(self.pool(self.last(x)).flatten(1))
        return logits


class ResNet(nn.Module):
    """A stem with max pooling, a plain and a strided block, ReLU behind every add."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 16, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.relu = nn.ReLU(inplace=True)
        self.first = nn.Sequential(conv_bn(16, 16, 3), nn.ReLU(), conv_bn(16, 16, 3))
        self.second = nn.Sequential(conv_bn(16, 32, 3, 2), nn.ReLU(), conv_bn(32, 32, 3))
        self.shortcut = conv_bn(16, 32, 1, 2)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.relu(x + self.first(x))
        x = self.relu(self.second(x) + self.shortcut(x))
        logits: Tensor = self.classifier(torch.flatten(self.pool(x), 1))
        return logits


class OddNet(nn.Module):
    """What the others lack: a grouped, a dilated, a 1x3 and an odd-channelled convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 12, (1, 3), (1, 2), (0, 1))
        self.grouped = nn.Conv2d(12, 20, 3, padding=1, groups=2)
        self.dilated = nn.Conv2d(20, 7, 3, padding=2, dilation=2)
        self.narrow = nn.Conv2d(7, 20, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.grouped(F.relu(self.wide(x)))
        x = F.relu6(self.narrow(F.relu6(self.dilated(x))) + x)
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


@dataclass(frozen=True)
class Case:
    """A network in torch and traced, its ranges, and images that fit it."""

    module: nn.Module
    network: Network
    ranges: Ranges
    images: Tensor


KINDS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "mobile": (MobileNet, (3, 20, 20)),
    "residual": (ResNet, (3, 32, 32)),
    "odd": (OddNet, (3, 14, 22)),
}


@cache
def case(kind: str) -> Case:
    return case_of(*KINDS[kind])


def case_of(make: Callable[[], nn.Module], shape: Shape) -> Case:
    module = build(make)
    images = random_images(shape)
    network = trace(module, shape)
    return Case(module, network, calibrate(network, images, "absmax"), images)


def build(make: Callable[[], nn.Module]) -> nn.Module:
    """A network in evaluation mode with random weights and random batch norm statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make().eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                randomise(module)
    return net


def randomise(norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.normal_(0.0, 0.2)
    norm.running_var.uniform_(0.1, 0.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0.3, 0.3)


def random_images(shape: Shape, count: int = 12, seed: int = 1) -> Tensor:
    """Normalised images (N, C, H, W): 8-bit pixels brought to -1..1."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, *shape), generator=generator)
    return pixels.float() / 127.5 - 1.0
