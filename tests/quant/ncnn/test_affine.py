from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.graph import Activation, Layer, Weights
from quant.ncnn.affine import Affine, behind, input_affine, transform
from quant.quantized import InputLevels

CAPS: dict[Activation, tuple[float, float]] = {
    "none": (-np.inf, np.inf),
    "relu": (0, np.inf),
    "relu6": (0, 6),
}


def levels_of(x: NDArray[np.float64], affine: Affine) -> NDArray[np.float64]:
    """Levels (N, C) of values (N, C)."""
    levels: NDArray[np.float64] = np.clip(x * affine.factor + affine.bias, affine.low, affine.high)
    return levels.round()


@st.composite
def affines(draw: st.DrawFn) -> Affine:
    """Two channels; ranges that end at 6, below or beyond; offsets or none."""
    top = 2 ** draw(st.integers(1, 8)) - 1
    ends = np.array([draw(st.sampled_from([3.0, 5.9, 6.0, 6.1, 8.0])) for _ in range(2)])
    offsets = np.array([draw(st.sampled_from([0.0, 0.0, -0.5, 0.7])) for _ in range(2)])
    low = draw(st.sampled_from([0, -top]))
    factor = top / ends
    return Affine(factor, -offsets * factor, float(low), float(top))


@given(affines(), st.sampled_from(sorted(CAPS)), st.integers(0, 2**32 - 1))
def test_one_clip_gives_the_same_levels(affine: Affine, kind: Activation, seed: int) -> None:
    fused = behind(kind, affine)
    if fused is None:
        return
    x = np.random.default_rng(seed).normal(0, 6, (200, 2))
    expected = levels_of(np.clip(x, *CAPS[kind]), affine)
    assert np.array_equal(levels_of(x, fused), expected)


@pytest.mark.parametrize(
    ("kind", "ends", "offsets", "fits"),
    [
        ("none", (3.0, 8.0), (0.3, -1.0), True),
        ("relu", (3.0, 8.0), (0.0, 0.0), True),
        ("relu6", (3.0, 6.0), (0.0, 0.0), True),
        ("relu6", (8.0, 8.0), (0.0, 0.0), True),
        ("relu6", (7.0, 8.0), (0.0, 0.0), False),
        ("relu", (6.0, 6.0), (0.5, 1.0), True),
        ("relu", (6.0, 6.0), (-0.5, -1.0), False),
    ],
)
def test_channels_with_clips_of_their_own_are_refused(
    kind: Activation, ends: tuple[float, ...], offsets: tuple[float, ...], fits: bool
) -> None:
    factor = 15 / np.array(ends)
    found = behind(kind, Affine(factor, -np.array(offsets) * factor, 0.0, 15.0))
    assert (found is not None) == fits


def test_levels_become_factor_and_bias() -> None:
    spread, offset = np.array([1, 2], np.float32), np.array([0.5, -1], np.float32)
    affine = input_affine(Layer("a", "conv", 2, 2), InputLevels(10.0, 0, 15, spread, offset))
    assert affine.factor == pytest.approx([10, 5])
    assert affine.bias == pytest.approx([-5, 5])
    assert affine.activation == {9: 3, 10: (0.0, 15.0)}


def test_weights_take_the_affine_in() -> None:
    affine = Affine(np.array([2.0, 3.0]), np.array([1.0, -1.0]), 0.0, 1.0)
    weight, bias = np.ones((2, 3, 1, 1), np.float32), np.array([1, 2], np.float32)
    made = transform(Weights(weight, bias), affine)
    assert made.weight[:, 0, 0, 0].tolist() == [2, 3]
    assert made.bias.tolist() == [3, 5]
