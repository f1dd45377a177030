from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.recipe.rounding import (
    Rounded,
    descend,
    gptq,
    objective,
    refine_scale,
    round_weights,
    weighted_scale,
)

Problem = tuple[torch.Tensor, torch.Tensor]


def problem(seed: int, groups: int = 2, rows: int = 6, columns: int = 9) -> Problem:
    """Weights (G, R, K) and the second moments (G, K, K) of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(groups, rows, columns, generator=generator)
    mixing = torch.randn(groups, columns, columns, generator=generator)
    x = torch.randn(groups, 200, columns, generator=generator) @ mixing
    return weight, x.mT @ x / 200 + 0.01 * torch.eye(columns)


def nearest(weight: torch.Tensor, scale: torch.Tensor, levels: float) -> torch.Tensor:
    return (weight * scale[..., None]).round().clamp(-levels, levels)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_better_than_rounding_to_nearest(seed: int, bits: int) -> None:
    weight, hessian = problem(seed)
    levels = float(2 ** (bits - 1) - 1)
    found = round_weights(weight, hessian, bits)
    assert found.integers.abs().max() <= levels
    assert torch.equal(found.integers, found.integers.round())
    scale = weighted_scale(weight, hessian.diagonal(dim1=1, dim2=2), levels)
    plain = weight - nearest(weight, scale, levels) / scale[..., None]
    ours = objective(weight - found.weights, hessian).sum()
    assert ours <= objective(plain, hessian).sum() * 1.001


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_sweep_and_a_new_scale_never_lose(seed: int) -> None:
    weight, hessian = problem(seed)
    scale = weighted_scale(weight, hessian.diagonal(dim1=1, dim2=2), 7.0)
    start = Rounded(nearest(weight, scale, 7.0), scale)
    swept = descend(weight, hessian, start, 7.0)
    scaled = refine_scale(weight, hessian, swept)
    errors = [objective(weight - r.weights, hessian) for r in (start, swept, scaled)]
    assert bool((errors[1] <= errors[0] * 1.0001 + 1e-6).all())
    assert bool((errors[2] <= errors[1] * 1.0001 + 1e-6).all())


def test_with_uncorrelated_inputs_gptq_rounds_to_nearest() -> None:
    weight, _ = problem(0)
    scale = torch.full(weight.shape[:2], 2.0)
    found = gptq(weight, torch.eye(9).expand(2, 9, 9), scale, 7.0)
    assert torch.equal(found, nearest(weight, scale, 7.0))


@pytest.mark.parametrize("columns", [63, 64, 65, 150])
def test_blocks_change_nothing(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    weight, hessian = problem(1, 1, 4, columns)
    scale = weighted_scale(weight, hessian.diagonal(dim1=1, dim2=2), 7.0)

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        start = gptq(weight, hessian, scale, 7.0)
        return start, descend(weight, hessian, Rounded(start, scale), 7.0).integers

    blocked = both()
    monkeypatch.setattr("quant.recipe.rounding.BLOCK", 10_000)
    for one, other in zip(blocked, both(), strict=True):
        assert (one != other).float().mean() < 0.01


def test_rows_of_zeros_stay_zero() -> None:
    found = round_weights(torch.zeros(1, 2, 9), torch.eye(9)[None], 4)
    assert not found.integers.any()
    assert bool(torch.isfinite(found.weights).all())
