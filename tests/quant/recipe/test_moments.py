from __future__ import annotations

import pytest
import torch

from quant.recipe.moments import SLOPES, least_squares, moments_of, penalty, restore_strength
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
    torch.testing.assert_close(whole.yy, y.var(1, correction=0))


def test_inputs_that_hardly_vary_can_be_fitted() -> None:
    """A dead channel, and a large one whose variance is lost in its square."""
    x = rows(0) * 1e-4 + 1000.0
    x[0, :, 2] = 0.0
    moments = moments_of([(x, x @ rows(1)[:, :3].mT)])
    target = least_squares(moments, rows(1)[:, :3], 0.5)
    hessian = moments.xx + penalty(moments.xx, 0.5)
    assert bool((torch.linalg.eigvalsh(hessian.double()) > 0).all())
    assert bool(torch.isfinite(round_weights(target, hessian, 4).weights).all())


def test_weights_come_back_from_exact_data() -> None:
    x, weight = rows(0), rows(1)[:, :3]
    found = least_squares(moments_of([(x, x @ weight.mT)]), torch.zeros_like(weight), 1e-6)
    torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-3)


def test_a_strong_penalty_holds_the_float_weights() -> None:
    x, weight, other = rows(0), rows(1)[:, :3], rows(2)[:, :3]
    found = least_squares(moments_of([(x, x @ weight.mT)]), other, 1e6)
    torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-3)


def test_weights_make_good_what_the_input_lost() -> None:
    """An input at half of its size wants weights of twice theirs."""
    x, weight = rows(0), rows(1)[:, :3]
    found = least_squares(moments_of([(x / 2, x @ weight.mT)]), weight, 1e-6)
    torch.testing.assert_close(found, 2 * weight, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("noise", [0.2, 0.7])
def test_noise_in_the_input_does_not_weaken_the_output(noise: float) -> None:
    """Fully where the output still follows, within bounds where it is mostly noise."""
    x, weight = rows(0), rows(1)[:, :3]
    y, seen = x @ weight.mT, x + noise * rows(5)
    moments = moments_of([(seen, y)])
    weak = least_squares(moments, weight, 1e-6)
    strong = restore_strength(weak, moments)
    wanted = y.var(1, correction=0)
    before, after = ((seen @ found.mT).var(1, correction=0) / wanted for found in (weak, strong))
    assert bool((before < 0.99).all())
    assert bool((after > before * 1.01).all())
    expected = (before / SLOPES[0]).clamp(max=1.0)
    torch.testing.assert_close(after, expected, rtol=5e-3, atol=0.0)


def test_outputs_that_never_vary_are_left() -> None:
    x, weight = rows(0), torch.zeros(2, 3, 5)
    moments = moments_of([(x, x @ weight.mT)])
    assert torch.equal(restore_strength(weight, moments), weight)
