from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quant.fold import Norm, as_scale, fold, norm_of
from quant.graph import Weights
from quant.trace.modules import layer_weights, norm_numbers
from tests.quant.networks import randomise


def one(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def test_one_channel_by_hand() -> None:
    norm = norm_of(one(2.0), one(4.0), one(5.0), one(7.0), 0.0)
    folded = fold(Weights(one(3.0).reshape(1, 1, 1, 1), one(1.0)), norm)
    assert folded.weight.item() == 3.0 * 5.0 / 2.0
    assert folded.bias.item() == (1.0 - 2.0) * 5.0 / 2.0 + 7.0


def test_one_channel_alone_by_hand() -> None:
    scale = as_scale(norm_of(one(2.0), one(4.0), one(5.0), one(7.0), 0.0))
    assert (scale.weight.item(), scale.bias.item()) == (2.5, 7.0 - 2.0 * 2.5)


def test_missing_weights_are_ones_and_zeros() -> None:
    norm = norm_of(one(2.0), one(3.0), None, None, 1.0)
    assert (norm.factor.item(), norm.beta.item()) == (0.5, 0.0)


def with_norm(affine: bool) -> tuple[nn.BatchNorm2d, Norm]:
    module = nn.BatchNorm2d(8, affine=affine).eval()
    if affine:
        randomise(module)
    return module, norm_numbers("norm", module)


def convolve(x: Tensor, weights: Weights) -> Tensor:
    weight, bias = torch.from_numpy(weights.weight), torch.from_numpy(weights.bias)
    return torch.nn.functional.conv2d(x, weight, bias, groups=2)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_folding_keeps_the_function(affine: bool, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, groups=2, bias=bias)
    module, norm = with_norm(affine)
    x = torch.randn(2, 6, 9, 9)
    ours = convolve(x, fold(layer_weights(conv), norm))
    torch.testing.assert_close(ours, module(conv(x)), rtol=1e-5, atol=1e-5)


def test_a_scale_keeps_the_function() -> None:
    torch.manual_seed(0)
    module, norm = with_norm(affine=True)
    scale, x = as_scale(norm), torch.randn(2, 8, 3, 3)
    weight, bias = (torch.from_numpy(n).reshape(-1, 1, 1) for n in (scale.weight, scale.bias))
    torch.testing.assert_close(x * weight + bias, module(x), rtol=1e-5, atol=1e-5)
