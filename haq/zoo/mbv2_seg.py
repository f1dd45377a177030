"""A small network for masks: MobileNetV2's blocks, and a decoder that joins their scales.

The decoder is that of feature pyramids (Lin et al., CVPR 2017): every scale goes through a 1x1
convolution and is added to the next coarser one, enlarged.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.classifier import Classifier
from haq.zoo.inverted_residuals import Builder, Step, run
from haq.zoo.keys import Torchvision
from haq.zoo.layers import initialise, plain_conv
from haq.zoo.rows import Row, Rows
from quant.errors import ModelError

ENCODER = Rows(
    Torchvision(),
    stem=16,
    rows=(
        Row(16, expand=None),
        Row(24, stride=2, repeats=2),
        Row(32, stride=2, repeats=2),
        Row(48, stride=2, repeats=2),
    ),
    head=None,
)
STEM_STRIDE = 2
MULTIPLE = 16
"""Pixels of the input for one of the coarsest scale."""
JOINED = 32
"""Channels of the decoder."""


class Segmenter(Classifier):
    """Gives logits (N, classes, H, W) of images (N, channels, H, W): a class for every pixel."""

    def __init__(
        self, classes: int, channels: int, input_size: int, padding: Padding = "torch"
    ) -> None:
        super().__init__()
        if input_size % MULTIPLE:
            raise ModelError(f"mbv2_seg takes inputs of multiples of {MULTIPLE} pixels a side")
        builder = Builder(self, ENCODER, channels, input_size, 1.0, padding)
        self._scales = by_scale(builder.features(STEM_STRIDE))
        self.lateral = nn.ModuleList(unit(row.channels, JOINED) for row in ENCODER.rows)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
        self.join = nn.Sequential(unit(JOINED, JOINED, 3, JOINED), unit(JOINED, JOINED))
        self.classifier = nn.Conv2d(JOINED, classes, 1)
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """Logits of normalised images."""
        joined: Tensor | None = None
        seen = []
        for scale in self._scales:
            x = run(self, scale, x)
            seen.append(x)
        for through, value in reversed(list(zip(self.lateral, seen, strict=True))):
            here = through(value)
            joined = here if joined is None else here + self.enlarge(joined)
        found: Tensor = self.enlarge(self.classifier(self.join(joined)))
        return found


def by_scale(chain: Sequence[Step]) -> list[list[Step]]:
    """The encoder's steps, parted where a row halves the size."""
    blocks = len(list(ENCODER.blocks()))
    scales = [list(chain[:-blocks])]
    for block, (_, _, row) in zip(chain[-blocks:], ENCODER.blocks(), strict=True):
        if row.stride > 1:
            scales.append([])
        scales[-1].append(block)
    return scales


def unit(c_in: int, c_out: int, kernel: int = 1, groups: int = 1) -> nn.Module:
    """Convolution, batch norm and ReLU6."""
    conv = plain_conv(c_in, c_out, kernel, groups=groups)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU6(inplace=True))
