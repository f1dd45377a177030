"""Layers that torch lacks."""

from torch import Tensor, nn
from torch.nn import functional as F


class SamePadConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for one known input size.

    `pads` is (left, right, top, bottom) in pixels. Torch's own `padding` is symmetric, whereas
    SAME puts the odd pixel at the bottom and right.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int, groups: int, size: int
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, groups=groups, bias=False)
        before, after = same_padding(size, kernel, stride)
        self.pads = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve: (N, C, H, W) -> (N, c_out, ceil(H/stride), ceil(W/stride))."""
        return super().forward(F.pad(x, self.pads))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after that give ceil(size / stride) outputs (TensorFlow's SAME rule)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
