"""Batch norms folded into the layer before them."""

import numpy as np
from torch import nn

from quant.errors import ModelError
from quant.graph import Weights


def layer_weights(layer: nn.Conv2d | nn.Linear) -> Weights:
    """float32 weights and bias of a layer; a missing bias becomes zeros."""
    weight = layer.weight.detach().numpy().astype(np.float32)
    if layer.bias is None:
        return Weights(weight, np.zeros(weight.shape[0], np.float32))
    return Weights(weight, layer.bias.detach().numpy().astype(np.float32))


def fold_batch_norm(weights: Weights, norm: nn.BatchNorm2d) -> Weights:
    """Weights and bias of layer and norm as one layer, computed in float64.

    w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
    Raises ModelError for a norm without running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ModelError("a batch norm without running statistics cannot be folded")
    mean = norm.running_mean.double().numpy()
    deviation = np.sqrt(norm.running_var.double().numpy() + norm.eps)
    gamma = norm.weight.detach().double().numpy() if norm.affine else np.ones_like(mean)
    beta = norm.bias.detach().double().numpy() if norm.affine else np.zeros_like(mean)
    factor = gamma / deviation
    rows = factor.reshape(-1, *[1] * (weights.weight.ndim - 1))
    return Weights(
        (weights.weight * rows).astype(np.float32),
        ((weights.bias - mean) * factor + beta).astype(np.float32),
    )
