"""Layers that the networks of the zoo are made of."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from haq.names import Padding

Activation = Literal["relu", "relu6", "hard_swish", "sigmoid", "hard_sigmoid"]
ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "relu6": partial(nn.ReLU6, inplace=True),
    "hard_swish": partial(nn.Hardswish, inplace=True),
    "sigmoid": nn.Sigmoid,
    "hard_sigmoid": partial(nn.Hardsigmoid, inplace=True),
}
SMALL_INPUT = 64
"""Inputs up to this side keep full resolution in the stem (stride 1), as usual for 32x32."""


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


class SqueezeNames(NamedTuple):
    """What the two convolutions of a squeeze-and-excitation are called."""

    reduce: str
    expand: str


class SqueezeExcite(nn.Module):
    """Channels weighed by what their means say (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, squeezed: int, gate: Activation, names: SqueezeNames) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.relu, self.gate = nn.ReLU(inplace=True), ACTIVATIONS[gate]()
        self._names = names
        self.add_module(names.reduce, nn.Conv2d(channels, squeezed, 1))
        self.add_module(names.expand, nn.Conv2d(squeezed, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        reduce, expand = map(self.get_submodule, self._names)
        gates: Tensor = self.gate(expand(self.relu(reduce(self.pool(x)))))
        return x * gates


def conv(
    c_in: int, c_out: int, kernel: int, stride: int, groups: int, size: int, padding: Padding
) -> nn.Conv2d:
    """A convolution without bias whose padding follows torch or TensorFlow."""
    if padding == "same":
        return SamePadConv2d(c_in, c_out, kernel, stride, groups, size)
    return plain_conv(c_in, c_out, kernel, stride, groups)


def plain_conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that pads by half of its kernel on each side."""
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after that give ceil(size / stride) outputs (TensorFlow's SAME rule)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def stem_stride(input_size: int) -> int:
    """Stride of the first convolution for inputs of so many pixels a side."""
    return 1 if input_size <= SMALL_INPUT else 2


def scale_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor` without losing more than 10 % (MobileNetV2, section 4)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def initialise(net: nn.Module) -> None:
    """Kaiming for convolutions, N(0, 0.01) for linear layers, as torchvision does.

    A network without memory (on torch's meta device) is left alone.
    """
    if next(net.parameters()).is_meta:
        return
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
