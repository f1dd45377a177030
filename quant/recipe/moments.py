"""Second moments of a layer's rows, and the weights that least squares makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 0.5


@dataclass(frozen=True)
class Moments:
    """Of centred rows x (G, M, K) and wanted outputs y (G, M, R), as means over M in float32."""

    mean_x: Tensor
    mean_y: Tensor
    xx: Tensor
    yx: Tensor


def moments_of(parts: list[tuple[Tensor, Tensor]]) -> Moments:
    """Moments of all parts together, summed in order and in float64.

    Centred before they are multiplied: the difference of two large squares could be negative.
    """
    count = sum(x.shape[1] for x, _ in parts)
    mean_x = sum_of([x.double().sum(1) for x, _ in parts]) / count
    mean_y = sum_of([y.double().sum(1) for _, y in parts]) / count
    x_0, y_0 = mean_x.float(), mean_y.float()
    centred = [(x - x_0[:, None], y - y_0[:, None]) for x, y in parts]
    xx = sum_of([(x.mT @ x).double() for x, _ in centred]) / count
    yx = sum_of([(y.mT @ x).double() for x, y in centred]) / count
    return Moments(x_0, y_0, xx.float(), yx.float())


def sum_of(parts: list[Tensor]) -> Tensor:
    """Sum in the order of the list."""
    return torch.stack(parts).sum(0)


def penalty(xx: Tensor, ridge: float) -> Tensor:
    """Diagonal (G, K, K) that holds weights near their float values where data say little."""
    diagonal = xx.diagonal(dim1=1, dim2=2)
    mean = diagonal.mean(1, keepdim=True)
    return torch.diag_embed(ridge * (diagonal + mean) / 2 + 1e-10)


def least_squares(moments: Moments, weight: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weights (G, R, K) that bring quantized inputs nearest to the float outputs, and the Hessian.

    T = (C + W D)(H + D)^-1 with the penalty D: the minimum of the squared output error plus the
    penalised distance from the float weights W.
    """
    held = penalty(moments.xx, ridge)
    hessian = moments.xx + held
    right = (moments.yx + weight @ held).double()
    solved = torch.linalg.solve(hessian.double(), right.mT).mT
    return solved.float(), hessian
