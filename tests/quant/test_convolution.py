from __future__ import annotations

import pytest
import torch
from torch import Tensor

from quant.convolution import convolve, convolve_backward, crop, dot, is_product, padding_of
from quant.float_net import apply_layer
from quant.graph import Layer

LAYERS = {
    "pointwise": Layer("l", "conv", 5, 7),
    "strided": Layer("l", "conv", 5, 7, stride=(2, 2)),
    "padded": Layer("l", "conv", 5, 7, pads=(1, 1, 1, 1)),
    "grouped": Layer("l", "conv", 4, 6, groups=2),
    "depthwise": Layer("l", "conv", 5, 5, (3, 3), (2, 2), (1, 1, 1, 1), groups=5),
    "dilated": Layer("l", "conv", 5, 7, (3, 1), pads=(0, 0, 2, 2), dilation=(2, 1)),
}


def tensors(layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, layer.c_in, 6, 5, generator=generator)
    weight = torch.randn(layer.weight_shape, generator=generator)
    bias = torch.randn(layer.c_out, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("wanted", [(True, True, True), (True, False, True), (False, True, False)])
def test_values_and_gradients_are_torchs(name: str, wanted: tuple[bool, bool, bool]) -> None:
    layer = LAYERS[name]
    parts = tensors(layer)
    expected = apply_layer(layer, *parts)
    with torch.no_grad():
        out = convolve(layer, *parts)
    torch.testing.assert_close(out, expected)
    gradient = torch.cos(torch.arange(out.numel()).float()).reshape(out.shape)
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    theirs = torch.autograd.grad((expected * gradient).sum(), parts)
    ours = convolve_backward(layer, gradient, parts[0].detach(), parts[1].detach(), wanted)
    for mine, other, asked in zip(ours, theirs, wanted, strict=True):
        assert mine is not None or not asked
        if mine is not None:
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_what_is_a_product_of_matrices() -> None:
    assert [name for name, layer in LAYERS.items() if is_product(layer)] == ["pointwise"]


def test_only_uneven_pads_are_added_by_hand() -> None:
    even, uneven = LAYERS["dilated"], Layer("l", "conv", 1, 1, (2, 2), pads=(0, 1, 2, 3))
    assert padding_of(even) == ((0, 0, 0, 0), (2, 0))
    assert padding_of(uneven) == ((0, 1, 2, 3), (0, 0))


def test_crop_takes_pads_off() -> None:
    x = torch.arange(2 * 3 * 6 * 7).reshape(2, 3, 6, 7)
    padded = torch.nn.functional.pad(x, (0, 1, 2, 3))
    assert torch.equal(crop(padded, (0, 1, 2, 3)), x)
    assert crop(x, (0, 0, 0, 0)) is x


def test_dot_sums_products_in_any_order_of_memory() -> None:
    one, other = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    expected = (one * other).sum()
    last = other.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(dot(one, other), expected)
    torch.testing.assert_close(dot(one, last), expected)
