import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from haq.zoo.layers import (
    SamePadConv2d,
    SqueezeExcite,
    SqueezeNames,
    conv,
    initialise,
    same_padding,
    scale_channels,
    stem_stride,
)

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


def test_a_convolution_pads_as_told() -> None:
    plain, same = conv(3, 8, 5, 2, 1, 32, "torch"), conv(3, 8, 5, 2, 1, 32, "same")
    assert plain.padding == (2, 2)
    assert isinstance(same, SamePadConv2d)
    assert same.pads == (1, 2, 1, 2)


def test_channels_are_multiples_of_eight_within_a_tenth() -> None:
    assert [scale_channels(32 * w) for w in (0.25, 0.35, 0.5, 0.75, 1.4)] == [8, 16, 16, 24, 48]
    for channels in range(8, 2000):
        scaled = scale_channels(channels)
        assert scaled % 8 == 0
        assert scaled >= 0.9 * channels


def test_small_inputs_keep_full_resolution_in_the_stem() -> None:
    assert [stem_stride(size) for size in (16, 64, 65, 224)] == [1, 1, 2, 2]


def test_squeeze_and_excitation_weighs_channels_by_their_means() -> None:
    gate = SqueezeExcite(8, 4, "hard_sigmoid", SqueezeNames("fc1", "fc2"))
    images = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    first, second = gate.get_submodule("fc1"), gate.get_submodule("fc2")
    means = images.mean((2, 3), keepdim=True)
    expected = images * F.hardsigmoid(second(F.relu(first(means))))
    torch.testing.assert_close(gate(images), expected)
    assert [name for name, _ in gate.named_parameters()] == [
        *("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"),
    ]


def test_linear_layers_begin_small_and_biases_at_zero() -> None:
    net = nn.Sequential(nn.Conv2d(64, 64, 1), nn.Linear(64, 64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        initialise(net)
    convolution, linear = net
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(linear, nn.Linear)
    assert 0.16 < convolution.weight.std() < 0.19  # Kaiming's sqrt(2 / 64)
    assert 0.009 < linear.weight.std() < 0.011
    assert not linear.bias.any()
    assert convolution.bias is not None
    assert not convolution.bias.any()


def test_a_network_without_memory_is_not_initialised() -> None:
    net = nn.Conv2d(3, 4, 1, device="meta")
    initialise(net)
    assert net.weight.is_meta
