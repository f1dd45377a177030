from __future__ import annotations

import pytest
import torch

from quant.recipe.moments import Parts, least_squares, moments_of
from quant.recipe.ridge import FEW, RIDGES, choose_ridge, errors_on

INF = float("inf")


def parts_of(count: int, pixels: int, noise: float = 0.0, shrink: float = 1.0) -> Parts:
    """Rows of `count` batches: two groups of five inputs, seen smaller and with noise."""
    random = torch.Generator().manual_seed(0)
    made = []
    for _ in range(count):
        x = torch.randn(2, pixels, 5, generator=random) + 1.0
        y = x @ weight().mT + noise * torch.randn(2, pixels, 3, generator=random)
        made.append((shrink * x, y))
    return made


def weight() -> torch.Tensor:
    return torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))


def test_errors_are_those_of_fits_to_the_other_images() -> None:
    parts = parts_of(4, 6, noise=1.0, shrink=0.7)
    seen, (x, y) = parts[:3], parts[3]
    moments = moments_of(seen)
    x, y = x - moments.mean_x[:, None], y - moments.mean_y[:, None]

    def error(found: torch.Tensor) -> float:
        return float((y - x @ found.mT).square().sum())

    for ridge, change in zip(RIDGES, errors_on(parts[3:], seen, weight()), strict=True):
        fitted = error(least_squares(moments, weight(), ridge))
        assert fitted - error(weight()) == pytest.approx(float(change), rel=1e-3, abs=1e-3)


def test_what_is_lost_alike_everywhere_is_fitted() -> None:
    assert choose_ridge(parts_of(6, 50, shrink=0.5), weight()) == RIDGES[0]


def test_noise_is_not_learnt() -> None:
    assert choose_ridge(parts_of(6, 4, noise=5.0), weight()) >= 10.0


def test_one_batch_leaves_nothing_to_choose_by() -> None:
    assert choose_ridge(parts_of(1, 50), weight()) == FEW


def test_without_any_fit_the_error_is_unchanged() -> None:
    parts = parts_of(2, 20, noise=1.0)
    assert float(errors_on(parts[1:], parts[:1], weight())[RIDGES.index(INF)]) == 0.0
