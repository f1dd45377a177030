"""Learned rounding in closed form: GPTQ, then coordinate descent, on a quadratic objective.

For rows w (R, K) and a positive definite h (K, K), integers q and a scale s a row are sought that
minimise (w - q / s) h (w - q / s)'. Rows are independent of each other, so candidates of the scale
are just more rows. GPTQ is Frantar et al. 2022 (columns in order of falling diagonal, "act-order").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quant.observers import positive_levels

CLIPS = 24
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)
DAMPING = 0.01
SWEEPS = 3
BLOCK = 64
SMALLEST = 1e-12


@dataclass(frozen=True)
class Rounded:
    """Integers (G, R, K) in float32 and their scales (G, R): weights are integers / scale."""

    integers: Tensor
    scale: Tensor

    @property
    def weights(self) -> Tensor:
        """(G, R, K)."""
        return self.integers / self.scale[..., None]


def round_weights(weight: Tensor, hessian: Tensor, bits: int) -> Rounded:
    """The best of GPTQ from five scales a row, improved by coordinate descent.

    `weight` is (G, R, K), `hessian` (G, K, K).
    """
    levels = float(positive_levels(bits, signed=True))
    start = weighted_scale(weight, hessian.diagonal(dim1=1, dim2=2), levels)
    factors = torch.tensor(FACTORS)
    scales = (start[:, None] / factors[:, None]).flatten(1)
    many = weight[:, None].expand(-1, len(FACTORS), -1, -1).flatten(1, 2)
    integers = gptq(many, hessian, scales, levels)
    errors = objective(many - integers / scales[..., None], hessian)
    best = choose(errors, Rounded(integers, scales), len(FACTORS))
    for _ in range(SWEEPS):
        best = refine_scale(weight, hessian, descend(weight, hessian, best, levels))
    return descend(weight, hessian, best, levels)


def weighted_scale(weight: Tensor, importance: Tensor, levels: float) -> Tensor:
    """Scale (G, R) of least squared error, columns weighted by `importance` (G, K)."""
    peak = weight.abs().amax(2).clamp(min=SMALLEST)
    best, least = levels / peak, torch.full_like(peak, float("inf"))
    for clip in torch.linspace(0.35, 1.0, CLIPS):
        scale = levels / (peak * clip)
        rounded = (weight * scale[..., None]).round_().clamp_(-levels, levels)
        error = ((rounded / scale[..., None] - weight).square() * importance[:, None]).sum(2)
        best = torch.where(error < least, scale, best)
        least = torch.minimum(error, least)
    return best


def gptq(weight: Tensor, hessian: Tensor, scale: Tensor, levels: float) -> Tensor:
    """Integers (G, R, K): each column's rounding error is made good by the columns after it."""
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    order = diagonal.argsort(1, descending=True)
    sorted_h = permute_both(hessian, order)
    damping = DAMPING * diagonal.mean(1)[:, None, None] * torch.eye(hessian.shape[1])
    upper = cholesky_of_inverse(sorted_h + damping)
    left = weight.gather(2, order[:, None].expand_as(weight)).clone()
    integers = torch.empty_like(left)
    for block in blocks(left.shape[2]):
        part, errors = left[..., block], torch.empty_like(left[..., block])
        inner = upper[:, block, block]
        for k in range(part.shape[2]):
            rounded = (part[..., k] * scale).round_().clamp_(-levels, levels)
            integers[..., block.start + k] = rounded
            errors[..., k] = (part[..., k] - rounded / scale) / inner[:, k, k, None]
            part[..., k + 1 :] -= errors[..., k, None] * inner[:, None, k, k + 1 :]
        left[..., block.stop :] -= errors @ upper[:, block, block.stop :]
    return integers.scatter(2, order[:, None].expand_as(weight), integers)


def blocks(columns: int) -> list[slice]:
    """Columns in blocks: what one changes outside itself is a matrix product at its end."""
    return [slice(i, min(i + BLOCK, columns)) for i in range(0, columns, BLOCK)]


def permute_both(matrix: Tensor, order: Tensor) -> Tensor:
    """Rows and columns of (G, K, K) in the order (G, K)."""
    rows = matrix.gather(1, order[:, :, None].expand_as(matrix))
    return rows.gather(2, order[:, None].expand_as(matrix))


def cholesky_of_inverse(matrix: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse, computed in float64."""
    lower = torch.linalg.cholesky(matrix.double())
    inverse = torch.cholesky_inverse(lower)
    upper: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return upper.float()


def objective(error: Tensor, hessian: Tensor) -> Tensor:
    """e h e' of every row: (G, R)."""
    return ((error @ hessian) * error).sum(2)


def choose(errors: Tensor, found: Rounded, candidates: int) -> Rounded:
    """The candidate of least error for every row; candidates are the slower half of the rows."""
    groups, rows = errors.shape[0], errors.shape[1] // candidates
    best = errors.reshape(groups, candidates, rows).argmin(1)
    shaped = found.integers.reshape(groups, candidates, rows, -1)
    index = best[:, None, :, None].expand(-1, 1, -1, shaped.shape[3])
    scales = found.scale.reshape(groups, candidates, rows)
    return Rounded(shaped.gather(1, index)[:, 0], scales.gather(1, best[:, None])[:, 0])


def descend(weight: Tensor, hessian: Tensor, start: Rounded, levels: float) -> Rounded:
    """One sweep over the columns: each integer becomes the best one, all others held."""
    integers, scale = start.integers.clone(), start.scale
    gradient = (weight - start.weights) @ hessian
    diagonal = hessian.diagonal(dim1=1, dim2=2).clamp(min=SMALLEST)
    for block in blocks(integers.shape[2]):
        part, steps = gradient[..., block].clone(), torch.empty_like(gradient[..., block])
        inner = hessian[:, block, block]
        for k in range(part.shape[2]):
            old = integers[..., block.start + k].clone()
            wanted = old + part[..., k] / diagonal[:, block.start + k, None] * scale
            new = wanted.round_().clamp_(-levels, levels)
            steps[..., k] = (new - old) / scale
            part -= steps[..., k, None] * inner[:, None, k]
            integers[..., block.start + k] = new
        gradient -= steps @ hessian[:, block]
    return Rounded(integers, scale)


def refine_scale(weight: Tensor, hessian: Tensor, found: Rounded) -> Rounded:
    """The best scale for given integers, in closed form."""
    projected = found.integers @ hessian
    top, bottom = (projected * weight).sum(2), (projected * found.integers).sum(2)
    usable = (top > 0) & (bottom > 0)
    ratio = torch.where(usable, bottom / top.clamp(min=SMALLEST), found.scale)
    return Rounded(found.integers, ratio)
