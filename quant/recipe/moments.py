"""Second moments of a layer's rows, and the weights that least squares makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Parts = Sequence[tuple[Tensor, Tensor]]
"""Rows (G, M, K) and wanted outputs (G, M, R) of some images each."""
SMALLEST = 1e-20
SLOPES = (0.85, 1.5)
"""Bounds of what is made good: an output that follows worse is mostly noise, not to be raised."""


@dataclass(frozen=True)
class Moments:
    """Of centred rows x (G, M, K) and wanted outputs y (G, M, R), as means over M in float32."""

    mean_x: Tensor
    mean_y: Tensor
    xx: Tensor
    yx: Tensor
    yy: Tensor
    """(G, R): of each output alone."""


def moments_of(parts: Parts) -> Moments:
    """Moments of all parts together, summed in order and in float64.

    Centred before they are multiplied: the difference of two large squares could be negative.
    """
    count = sum(x.shape[1] for x, _ in parts)
    mean_x = sum_of([x.sum(1, dtype=torch.float64) for x, _ in parts]) / count
    mean_y = sum_of([y.sum(1, dtype=torch.float64) for _, y in parts]) / count
    x_0, y_0 = mean_x.float(), mean_y.float()
    products = [products_of(x - x_0[:, None], y - y_0[:, None]) for x, y in parts]
    xx, yx, yy = (sum_of(list(found)) / count for found in zip(*products, strict=True))
    return Moments(x_0, y_0, xx.float(), yx.float(), yy.float())


def products_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the rows of one part; so only one part at a time is held a second time, centred."""
    return (x.mT @ x).double(), (y.mT @ x).double(), y.square().sum(1).double()


def sum_of(parts: list[Tensor]) -> Tensor:
    """Sum in the order of the list."""
    return torch.stack(parts).sum(0)


def penalty(xx: Tensor, ridge: float) -> Tensor:
    """Diagonal (G, K, K) that holds weights near their float values where data say little."""
    diagonal = xx.diagonal(dim1=1, dim2=2)
    mean = diagonal.mean(1, keepdim=True)
    return torch.diag_embed(ridge * (diagonal + mean) / 2 + 1e-10)


def least_squares(moments: Moments, weight: Tensor, ridge: float) -> Tensor:
    """Weights (G, R, K) that bring quantized inputs nearest to the float outputs.

    T = (C + W D)(H + D)^-1 with the penalty D: the minimum of the squared output error plus the
    penalised distance from the float weights W. An infinite ridge gives these.
    """
    if ridge == float("inf"):
        return weight
    held = penalty(moments.xx, ridge)
    right = (moments.yx + weight @ held).double()
    solved: Tensor = torch.linalg.solve((moments.xx + held).double(), right.mT)
    return solved.mT.float()


def restore_strength(target: Tensor, moments: Moments) -> Tensor:
    """Weights whose outputs vary as much as those wanted, where least squares made them vary less.

    Noise in its inputs draws a regression towards the mean (attenuation; Fuller 1987, 1.1), and
    what follows a layer, its ReLU first, is made for outputs of full strength. If outputs follow
    the wanted ones with the slope r, 1 / sqrt(r) makes the variances equal.
    """
    together = (target * moments.yx).sum(2)
    usable = (together > 0) & (moments.yy > SMALLEST)
    slope = torch.where(usable, together / moments.yy.clamp(min=SMALLEST), 1.0)
    strength: Tensor = slope.clamp(*SLOPES).rsqrt()
    return target * strength[..., None]
