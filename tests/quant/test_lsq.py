from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from quant.float_net import apply_layer
from quant.graph import Layer
from quant.lsq import Levels, integers_of, round_weights, run_rounded
from quant.qdrop import Drop

PAIRS = {
    "dense": Layer("l", "conv", 5, 6, (3, 3), (2, 2), (0, 1, 0, 1)),
    "depthwise": Layer("l", "conv", 6, 6, (3, 3), (1, 1), (1, 1, 1, 1), groups=6),
    "pointwise": Layer("l", "conv", 5, 7),
    "linear": Layer("l", "linear", 5, 7),
}


def through(x: Tensor) -> Tensor:
    """Rounded, but with the gradient of what is rounded."""
    return x + (x.round() - x).detach()


def share(x: Tensor, factor: float) -> Tensor:
    """The same value with a part of its gradient."""
    return x * factor + (x - x * factor).detach()


def by_the_paper(x: Tensor, growth: Tensor, start: float, low: float, high: float) -> Tensor:
    """LSQ in small steps, as Esser et al. write it; autograd has the gradients."""
    step = start * torch.exp(share(growth, 1 / math.sqrt(x[0].numel() * high)))
    return through((x / step).clamp(low, high)) * step


def tensors(layer: Layer, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Input, growth, weight and bias that want gradients."""
    generator = torch.Generator().manual_seed(seed)
    shape = (3, layer.c_in) if layer.op == "linear" else (3, layer.c_in, 7, 8)
    x = torch.randn(shape, generator=generator)
    weight = torch.randn(layer.weight_shape, generator=generator)
    bias = torch.randn(layer.c_out, generator=generator)
    return tuple(t.requires_grad_() for t in (x, torch.tensor(0.1), weight, bias))  # type: ignore[return-value]


def gradients(out: Tensor, wanted: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    pattern = torch.cos(torch.arange(out.numel()).float()).reshape(out.shape)
    return torch.autograd.grad((out * pattern).sum(), wanted)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("spread", [True, False])
def test_inputs_and_their_gradients_are_lsq(kind: str, signed: bool, spread: bool) -> None:
    layer = PAIRS[kind]
    x, growth, weight, bias = tensors(layer, 1)
    if not signed:
        x = x.detach().abs().requires_grad_()
    spreads = torch.linspace(0.5, 2.0, layer.c_in).reshape(1, -1, 1, 1) if spread else None
    levels = Levels(2.5, -3 if signed else 0, 3, not signed, spreads)
    ours = run_rounded(layer, x, growth, levels, weight, bias)
    divided = x if spreads is None else x / spreads.reshape(1, -1, *[1] * (x.ndim - 2))
    rounded = by_the_paper(divided, growth, 0.4, levels.low, levels.high)
    expected = apply_layer(layer, rounded, weight, bias)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    wanted = (x, growth, weight, bias)
    for one, other in zip(gradients(ours, wanted), gradients(expected, wanted), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer", PAIRS.values())
def test_frozen_parameters_get_no_gradients(layer: Layer) -> None:
    x, growth, weight, bias = tensors(layer, 2)
    levels = Levels(2.5, -3, 3, positive=False)
    every = gradients(run_rounded(layer, x, growth, levels, weight, bias), (growth, bias))
    frozen = weight.detach()
    some = gradients(run_rounded(layer, x.detach(), growth, levels, frozen, bias), (growth, bias))
    for one, other in zip(every, some, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 4)])
def test_weights_and_their_gradients_are_lsq(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    latent = (2 * torch.randn(shape, generator=generator)).requires_grad_()
    growth = torch.linspace(-0.2, 0.2, 6).requires_grad_()
    unit = torch.linspace(0.1, 0.5, 6)
    column = (-1, *[1] * (len(shape) - 1))
    grown = torch.exp(share(growth, 1 / math.sqrt(latent[0].numel() * 3))).reshape(column)
    units = unit.reshape(column)
    # A latent up to half a level beyond the last one still has its gradient.
    value = (latent / grown).clamp(-3.5 + 1e-6, 3.5 - 1e-6)
    expected = (value + (value.round().clamp(-3, 3) - value).detach()) * grown * units
    ours = round_weights(latent, growth, unit, 3)
    torch.testing.assert_close(ours, expected)
    mine = gradients(ours, (latent, growth))
    inside = (latent / grown).abs() < 3.5
    pattern = torch.cos(torch.arange(latent.numel()).float()).reshape(shape)
    torch.testing.assert_close(mine[0], torch.where(inside, pattern * units, 0.0))
    error = (latent / grown).round().clamp(-3, 3) - torch.where(inside, latent / grown, 0.0)
    steps = (pattern * error * grown * units).flatten(1).sum(1) / math.sqrt(latent[0].numel() * 3)
    torch.testing.assert_close(mine[1], steps)


@given(st.floats(-1, 1), st.integers(1, 127))
def test_integers_stay_on_their_levels(growth: float, levels: int) -> None:
    latent = torch.linspace(-200, 200, 41).reshape(1, -1)
    found = integers_of(latent, torch.tensor([growth]), levels)
    assert torch.equal(found, found.round())
    assert found.abs().max() <= levels


def test_dropped_values_stay_float_and_pass_their_gradient() -> None:
    layer = PAIRS["pointwise"]
    x, growth, weight, bias = tensors(layer, 4)
    levels = Levels(1.5, -1, 1, positive=False)
    drop = Drop(0.5, torch.Generator().manual_seed(5))
    mask = Drop(0.5, torch.Generator().manual_seed(5)).draw(x)
    out = run_rounded(layer, x, growth, levels, weight, bias, drop)
    kept = mask * x + (1 - mask) * by_the_paper(x, growth, 1 / 1.5, -1, 1)
    expected = apply_layer(layer, kept, weight, bias)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
    wanted = (x, growth, weight)
    for one, other in zip(gradients(out, wanted), gradients(expected, wanted), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_convolution_takes_even_pads_of_its_own() -> None:
    layer = PAIRS["depthwise"]
    x, growth, weight, bias = tensors(layer, 6)
    levels = Levels(127.0, -127, 127, positive=False)
    out = run_rounded(layer, x.detach().clamp(-1, 1), torch.zeros(()), levels, weight, bias)
    rounded = (x.clamp(-1, 1) * 127).round() / 127
    torch.testing.assert_close(out, F.conv2d(rounded, weight, bias, 1, 1, 1, 6))
    assert growth.grad is None
