"""Rows of a layer's input: what its weights are multiplied with at sampled output positions.

A layer is `groups` independent matrix products: rows (groups, M, K) times weights (groups, R, K),
where K = c_in / groups * kernel and R = c_out / groups. A dense layer is one group, a depthwise
layer has a group of 9 columns for every channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.graph import Floats, Layer
from quant.quantized import InputLevels

POSITIONS = 256


@dataclass(frozen=True)
class Places:
    """Sampled output positions of some images: `image`, `y`, `x` are int64 (M,)."""

    image: Tensor
    y: Tensor
    x: Tensor


def sample_places(layer: Layer, images: int, positions: int, generator: torch.Generator) -> Places:
    """`positions` different places of every image, or all where there are no more."""
    height, width = layer.out_size
    count = min(positions, height * width)
    spots = [torch.randperm(height * width, generator=generator)[:count] for _ in range(images)]
    flat = torch.cat(spots)
    image = torch.arange(images).repeat_interleave(count)
    return Places(image, flat // width, flat % width)


def take_rows(layer: Layer, x: Tensor, places: Places) -> Tensor:
    """Rows (groups, M, K) of an input (N, C, H, W); padding is zero."""
    if layer.op == "linear":
        return x.flatten(1)[places.image][None]
    padded = F.pad(x, layer.pads) if any(layer.pads) else x
    pixels = padded.permute(0, 2, 3, 1)
    _, height, width, channels = pixels.shape
    flat = pixels.reshape(-1, channels)
    corner = (places.image * height + places.y * layer.stride[0]) * width
    corner = corner + places.x * layer.stride[1]
    taps = [
        flat[corner + i * layer.dilation[0] * width + j * layer.dilation[1]]
        for i in range(layer.kernel[0])
        for j in range(layer.kernel[1])
    ]
    stacked = torch.stack(taps, 2)
    return stacked.reshape(len(corner), layer.groups, -1).transpose(0, 1)


def as_groups(layer: Layer, weight: Tensor) -> Tensor:
    """Weights (groups, R, K)."""
    return weight.reshape(layer.groups, layer.c_out // layer.groups, -1)


def columns_of(layer: Layer, levels: InputLevels | None) -> Tensor:
    """The input's spread as one number a column: (G, 1, K), or ones (1, 1, 1)."""
    if levels is None or levels.spread is None:
        return torch.ones(1, 1, 1)
    return as_columns(layer, levels.spread)[:, None]


def as_columns(layer: Layer, by_channel: Floats) -> Tensor:
    """A number a channel (c_in,) as one a column (groups, K)."""
    taps = layer.kernel[0] * layer.kernel[1]
    return torch.from_numpy(by_channel).repeat_interleave(taps).reshape(layer.groups, -1)
