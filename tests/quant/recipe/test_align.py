from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from quant.quantized import InputLevels
from quant.recipe.align import FACTORS, align, error_of
from quant.recipe.levels import Sample, take_sample


def sample(signed: bool) -> Sample:
    """Three channels, of which the first is often at its clip of 6."""
    x = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([8, 2, 1])
    return take_sample(x if signed else x.clamp(0, 6), 10**6)


def levels(spread: float, offset: bool = False) -> InputLevels:
    """15 steps of 0.4 * spread."""
    shifted = np.array([-20, -5, -3], np.float32) if offset else None
    return InputLevels(2.5, 0, 15, np.full(3, spread, np.float32), shifted)


def test_what_a_relu6_clips_lies_on_a_level() -> None:
    found = align(levels(1.035), sample(signed=False))
    assert found.spread is not None
    steps = 6.0 * found.scale / found.spread[0]
    # Factors lie one percent apart: 15 steps are met within 0.08.
    assert steps == pytest.approx(round(steps), abs=0.08)
    assert 6.0 * found.scale / 1.035 == pytest.approx(14.5, abs=0.02)


@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("spread", [0.8, 1.07, 2.0])
def test_no_channel_loses_more(spread: float, offset: bool) -> None:
    values = sample(signed=offset)
    before = levels(spread, offset)
    after = align(before, values)
    assert bool((error_of(values.values, after) <= error_of(values.values, before)).all())
    assert after.spread is not None and before.spread is not None
    moved = after.spread / before.spread
    assert moved.min() >= FACTORS.min() - 1e-6 and moved.max() <= FACTORS.max() + 1e-6


def test_channels_with_an_offset_keep_their_middle() -> None:
    before = levels(1.07, offset=True)
    after = align(before, sample(signed=True))
    assert not np.array_equal(after.spread, before.spread)  # type: ignore[arg-type]
    np.testing.assert_allclose(middle(after), middle(before), rtol=1e-5)


def test_without_a_spread_nothing_moves() -> None:
    plain = replace(levels(1.0), spread=None)
    assert align(plain, sample(signed=False)) is plain


def middle(one: InputLevels) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    assert one.spread is not None and one.offset is not None
    found: np.ndarray[tuple[int], np.dtype[np.float32]]
    found = one.offset + one.spread * np.float32(one.high / one.scale / 2)
    return found
