"""How far a layer's weights are fitted to a few images: chosen on images that the fit has not seen.

With a small ridge wide layers learn a hundred images by heart; with a large one nothing is made
good that the layers before have lost. What is right differs between layers by a factor of 1000.
"""

from __future__ import annotations

import torch
from torch import Tensor

from quant.pool import run_all
from quant.recipe.moments import Parts, moments_of, penalty, products_of, sum_of

FOLDS = 3
RIDGES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 200.0, float("inf"))
FEW = 0.5
"""The ridge where there are too few images to choose."""


def choose_ridge(parts: Parts, weight: Tensor) -> float:
    """The ridge of `least_squares` of least error in cross-validation; weights (G, R, K)."""
    folds = min(FOLDS, len(parts))
    if folds < 2:
        return FEW

    def held_out(fold: int) -> Tensor:
        seen = [part for index, part in enumerate(parts) if index % folds != fold]
        return errors_on(parts[fold::folds], seen, weight)

    return RIDGES[int(torch.stack(run_all(held_out, range(folds))).sum(0).argmin())]


def errors_on(unseen: Parts, seen: Parts, weight: Tensor) -> Tensor:
    """What fits to the rows `seen` change in the squared error of others: a number for each ridge.

    Scaled by the penalty P of ridge 1 and in the eigenvectors of P^-1/2 H P^-1/2, with eigenvalues
    s, the fit of the ridge r moves the weights by M / (s + r): one decomposition serves all ridges.
    """
    moments, weight = moments_of(seen), weight.double()
    scale = penalty(moments.xx, 1.0).diagonal(dim1=1, dim2=2).double().rsqrt()
    hessian = moments.xx.double()
    eigenvalues, vectors = torch.linalg.eigh(hessian * scale[:, :, None] * scale[:, None, :])
    basis = scale[:, :, None] * vectors
    moved = (moments.yx.double() - weight @ hessian) @ basis
    mean_x, mean_y = moments.mean_x[:, None], moments.mean_y[:, None]
    products = [products_of(x - mean_x, y - mean_y) for x, y in unseen]
    after, together, _ = (sum_of(list(found)) for found in zip(*products, strict=True))
    slope = (together - weight @ after) @ basis
    curve = basis.mT @ after @ basis
    return torch.stack([error_of(moved / (eigenvalues[:, None] + r), curve, slope) for r in RIDGES])


def error_of(change: Tensor, curve: Tensor, slope: Tensor) -> Tensor:
    """Squared error after a change of the weights (G, R, K), less that before it."""
    return ((change @ curve - 2 * slope) * change).sum()
