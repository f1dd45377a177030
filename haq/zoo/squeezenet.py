"""SqueezeNet 1.1 (Iandola et al. 2016; its authors' smaller release) with torchvision's keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from haq.zoo.classifier import Classifier
from haq.zoo.layers import initialise, stem_stride

STEM = 64
DROPOUT = 0.5


class Fire(nn.Module):
    """A 1x1 convolution that narrows, then 1x1 and 3x3 ones side by side."""

    def __init__(self, c_in: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, 2 expanded, H, W)."""
        x = self.relu(self.squeeze(x))
        return torch.cat((self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))), dim=1)


class SqueezeNet(Classifier):
    """Fire modules and pools; the classifier is a 1x1 convolution before the last mean."""

    def __init__(self, classes: int, channels: int, input_size: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, STEM, 3, stem_stride(input_size)),
            nn.ReLU(inplace=True),
            halve(),
            Fire(STEM, 16, 64),
            Fire(128, 16, 64),
            halve(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            halve(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Conv2d(512, classes, 1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
        )
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        found: Tensor = self.classifier(self.features(x)).flatten(1)
        return found


def halve() -> nn.MaxPool2d:
    """Half as many pixels a side, rounded up."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)
