import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from haq.zoo.layers import SamePadConv2d, same_padding

KERNELS = st.sampled_from((1, 3, 5, 7))
STRIDES = st.integers(1, 3)
SIZES = st.integers(1, 300)


@given(SIZES, KERNELS, STRIDES)
def test_same_padding_gives_the_ceiling_of_size_over_stride(
    size: int, kernel: int, stride: int
) -> None:
    before, after = same_padding(size, kernel, stride)
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)
    assert after - before in (0, 1)


def test_stride_two_pads_at_the_bottom_and_right_only() -> None:
    assert same_padding(224, 3, 2) == (0, 1)
    assert same_padding(225, 3, 2) == (1, 1)
    assert same_padding(112, 3, 1) == (1, 1)
    assert same_padding(112, 1, 2) == (0, 0)


@given(st.integers(4, 17), st.sampled_from((1, 3, 5)), st.integers(1, 2))
def test_the_convolution_is_torchs_on_padded_images(size: int, kernel: int, stride: int) -> None:
    conv = SamePadConv2d(4, 4, kernel, stride, groups=4, size=size)
    images = torch.randn(2, 4, size, size, generator=torch.Generator().manual_seed(size))
    found = conv(images)
    assert found.shape == (2, 4, -(-size // stride), -(-size // stride))
    before, after = same_padding(size, kernel, stride)
    padded = F.pad(images, (before, after, before, after))
    assert torch.equal(found, F.conv2d(padded, conv.weight, stride=stride, groups=4))
