"""What the agent sees at a step: HAQ's ten numbers (Wang et al. 2019, 3.1), all in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from env.actions import Choices
from quant.graph import Floats, Graph, Layer

OF_STEPS = 2
"""Numbers that change from step to step."""


def size(features: Floats) -> int:
    """Numbers of an observation."""
    return int(features.shape[1]) + OF_STEPS


def layer_features(graph: Graph, more: Floats | None = None) -> Floats:
    """The eight numbers of each layer, min-max normalised by column, float32 (layers, 8 + k).

    `more` (layers, k) is put behind them as it is.
    """
    rows = [raw_features(layer, index) for index, layer in enumerate(graph.layers)]
    own = normalise(np.array(rows, dtype=np.float64))
    return own if more is None else np.hstack([own, more.astype(np.float32)])


def raw_features(layer: Layer, index: int) -> tuple[float, ...]:
    """Depthwise flag, c_in, c_out, stride, kernel, weights, input pixels, layer index.

    A linear layer has stride 0, as in HAQ, which sets it apart from a 1x1 convolution.
    """
    stride = layer.stride[0] if layer.op == "conv" else 0
    shape = (layer.c_in, layer.c_out, stride, layer.kernel[0], layer.weight_count)
    return (layer.is_depthwise, *shape, prod(layer.in_size), index)


def normalise(columns: NDArray[np.float64]) -> Floats:
    """Each column from 0 at its least to 1 at its largest value; a constant column becomes 0."""
    low = columns.min(axis=0)
    span = columns.max(axis=0) - low
    scaled: Floats = ((columns - low) / np.where(span == 0, 1, span)).astype(np.float32)
    return scaled


def observe(features: Floats, choices: Choices, widths: Sequence[int]) -> Floats:
    """Observation after the first `len(widths)` steps of an episode, float32 (8 + k + 2,).

    `widths` are the bits chosen so far. Before the first step the last action counts as 1; after
    the last one the layer and the flag remain those of the last step.
    """
    step = choices.steps[min(len(widths), len(choices.steps) - 1)]
    last = widths[-1] / choices.max_bits if widths else 1.0
    row = features[choices.names.index(step.layer)]
    return np.array([*row, last, step.is_weight], dtype=np.float32)


def observe_episode(features: Floats, choices: Choices, widths: Sequence[int]) -> Floats:
    """All observations of an episode with these bits, float32 (steps + 1, ...)."""
    return np.stack([observe(features, choices, widths[:n]) for n in range(len(widths) + 1)])
