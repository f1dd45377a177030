from __future__ import annotations

import torch

from quant.recipe.moments import least_squares, moments_of
from quant.recipe.rounding import round_weights


def rows(seed: int) -> torch.Tensor:
    return torch.randn(2, 300, 5, generator=torch.Generator().manual_seed(seed)) + 1.0


def test_moments_of_parts_are_those_of_the_whole() -> None:
    x, weight = rows(0), rows(1)[:, :3]
    y = x @ weight.mT
    whole = moments_of([(x, y)])
    parts = moments_of([(x[:, :100], y[:, :100]), (x[:, 100:], y[:, 100:])])
    torch.testing.assert_close(parts.xx, whole.xx)
    torch.testing.assert_close(parts.yx, whole.yx)
    centred = x - x.mean(1, keepdim=True)
    torch.testing.assert_close(whole.xx, centred.mT @ centred / 300)


def test_inputs_that_hardly_vary_can_be_fitted() -> None:
    """A dead channel, and a large one whose variance is lost in its square."""
    x = rows(0) * 1e-4 + 1000.0
    x[0, :, 2] = 0.0
    moments = moments_of([(x, x @ rows(1)[:, :3].mT)])
    target, hessian = least_squares(moments, rows(1)[:, :3], 0.5)
    assert bool((torch.linalg.eigvalsh(hessian.double()) > 0).all())
    assert bool(torch.isfinite(round_weights(target, hessian, 4).weights).all())


def test_weights_come_back_from_exact_data() -> None:
    x, weight = rows(0), rows(1)[:, :3]
    found, _ = least_squares(moments_of([(x, x @ weight.mT)]), torch.zeros_like(weight), 1e-6)
    torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-3)


def test_a_strong_penalty_holds_the_float_weights() -> None:
    x, weight, other = rows(0), rows(1)[:, :3], rows(2)[:, :3]
    found, _ = least_squares(moments_of([(x, x @ weight.mT)]), other, 1e6)
    torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-3)


def test_weights_make_good_what_the_input_lost() -> None:
    """An input at half of its size wants weights of twice theirs."""
    x, weight = rows(0), rows(1)[:, :3]
    found, _ = least_squares(moments_of([(x / 2, x @ weight.mT)]), weight, 1e-6)
    torch.testing.assert_close(found, 2 * weight, rtol=1e-3, atol=1e-3)
