"""Weights at 8 and 16 bits, computed as ncnn computes them."""

import numpy as np
from numpy.typing import NDArray

from quant.graph import Floats
from quant.ncnn.format import (
    CODEBOOK,
    TAG_CODEBOOK,
    TAG_FP16,
    TAG_INT8,
    Codebook,
    Int8,
    Payload,
)
from quant.shared import Clusters

INT8_MAX = np.float32(127)
SMALLEST_PEAK = 1e-36
"""Rows below (dead channels decay to such values) count as zero: their scale is not finite."""


def round_half_away(x: Floats) -> Floats:
    """C's round(): halves go away from zero. Exact below 2^22 in absolute value."""
    return np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))


def weight_scales(weight: Floats, rows: int) -> Floats:
    """127 / largest absolute weight of each of `rows` rows, float32 (rows,); 1 for a zero row."""
    peak = np.abs(weight.reshape(rows, -1)).max(axis=1).astype(np.float32)
    zero = peak < SMALLEST_PEAK
    return np.where(zero, np.float32(1), INT8_MAX / np.where(zero, 1, peak)).astype(np.float32)


def quantize(weight: Floats, scales: Floats) -> NDArray[np.int8]:
    """Flat int8 weights: clamp(round_half_away(w * scale), -127, 127), a scale a row."""
    scaled = weight.reshape(len(scales), -1).astype(np.float32) * scales[:, None]
    return np.clip(round_half_away(scaled), -INT8_MAX, INT8_MAX).astype(np.int8).ravel()


def activation_scale(threshold: float) -> float:
    """127 / threshold as float32, the scale of a layer's input (symmetric, one a tensor)."""
    return float(INT8_MAX / np.float32(threshold)) if threshold > 0 else 1.0


def to_int8(payload: Payload, rows: int, input_scale: float, output_scale: float | None) -> Payload:
    """Float weights quantized to 8 bits. The weights must be float32."""
    assert payload.weight is not None
    scales = weight_scales(payload.weight, rows)
    int8 = Int8(quantize(payload.weight, scales), scales, input_scale, output_scale)
    return Payload(None, payload.bias, TAG_INT8, int8)


def to_half(payload: Payload) -> Payload:
    """Weights stored as float16 (half the bytes); the bias stays float32."""
    return Payload(payload.weight, payload.bias, TAG_FP16)


def to_codebook(bias: Floats, clusters: Clusters) -> Payload:
    """Shared weights as a codebook, which zeros fill up below 8 bits: an index takes a byte."""
    values = np.zeros(CODEBOOK, np.float32)
    values[: len(clusters.centroids)] = clusters.centroids
    codebook = Codebook(values, clusters.indexes.ravel())
    return Payload(None, bias, TAG_CODEBOOK, codebook=codebook)
