from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from quant.errors import ModelError
from quant.fold import fold_batch_norm, layer_weights
from tests.quant.networks import randomise


def test_one_channel_by_hand() -> None:
    conv, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0.0)
    with torch.no_grad():
        conv.weight.fill_(3.0)
        assert conv.bias is not None
        conv.bias.fill_(1.0)
        norm.weight.fill_(5.0)
        norm.bias.fill_(7.0)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    folded = fold_batch_norm(layer_weights(conv), norm)
    assert folded.weight.item() == 3.0 * 5.0 / 2.0
    assert folded.bias.item() == (1.0 - 2.0) * 5.0 / 2.0 + 7.0


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_folding_keeps_the_function(affine: bool, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, groups=2, bias=bias)
    norm = nn.BatchNorm2d(8, affine=affine).eval()
    if affine:
        randomise(norm)
    folded = fold_batch_norm(layer_weights(conv), norm)
    x = torch.randn(2, 6, 9, 9)
    ours = torch.nn.functional.conv2d(
        x, torch.from_numpy(folded.weight), torch.from_numpy(folded.bias), groups=2
    )
    torch.testing.assert_close(ours, norm(conv(x)), rtol=1e-5, atol=1e-5)


def test_a_missing_bias_is_zero() -> None:
    weights = layer_weights(nn.Linear(3, 2, bias=False))
    assert weights.bias.tolist() == [0.0, 0.0]
    assert weights.bias.dtype == weights.weight.dtype == np.float32


def test_weights_are_copies() -> None:
    conv = nn.Conv2d(1, 1, 1)
    weights = layer_weights(conv)
    before = weights.weight.copy()
    with torch.no_grad():
        conv.weight.add_(1.0)
    assert np.array_equal(weights.weight, before)


def test_a_norm_without_statistics_cannot_be_folded() -> None:
    norm = nn.BatchNorm2d(1, track_running_stats=False)
    with pytest.raises(ModelError, match="statistics"):
        fold_batch_norm(layer_weights(nn.Conv2d(1, 1, 1)), norm)
