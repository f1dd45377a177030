"""Batch norms as plain numbers: folded into the layer before them, or a scale of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.graph import Floats, Weights

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """(x - mean) * factor + beta, float64 (C,) each."""

    mean: Doubles
    factor: Doubles
    beta: Doubles


def norm_of(
    mean: Floats, variance: Floats, gamma: Floats | None, beta: Floats | None, eps: float
) -> Norm:
    """A norm by its running statistics (C,); factor = gamma / sqrt(variance + eps).

    Where `gamma` or `beta` are missing they are ones and zeros.
    """
    deviation = np.sqrt(variance.astype(np.float64) + eps)
    ones, zeros = np.ones_like(deviation), np.zeros_like(deviation)
    factor = (ones if gamma is None else gamma.astype(np.float64)) / deviation
    return Norm(mean.astype(np.float64), factor, zeros if beta is None else beta.astype(np.float64))


def fold(weights: Weights, norm: Norm) -> Weights:
    """Weights and bias of a layer and the norm behind it as one layer, computed in float64.

    w' = w * factor, b' = (b - mean) * factor + beta.
    """
    rows = norm.factor.reshape(-1, *[1] * (weights.weight.ndim - 1))
    return Weights(
        (weights.weight * rows).astype(np.float32),
        ((weights.bias - norm.mean) * norm.factor + norm.beta).astype(np.float32),
    )


def as_scale(norm: Norm) -> Weights:
    """A norm alone: x * weight + bias, float32 (C,) each."""
    return Weights(
        norm.factor.astype(np.float32), (norm.beta - norm.mean * norm.factor).astype(np.float32)
    )
