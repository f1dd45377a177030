"""Input levels of a layer: clipping ranges, spreads and offsets by channel.

Three kinds of input, by what an offset and a spread may do there:
- depthwise: every channel has a range of its own, which costs nothing;
- dense: channels are brought nearer to each other by a spread (Xiao et al. 2023, alpha 1/2): half
  of the unevenness goes into the weights; behind ReLUs levels are unsigned;
- dense, signed and unpadded: an offset a channel centres its range, and levels are unsigned, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from quant.graph import Floats, Layer
from quant.observers import positive_levels
from quant.quantized import InputLevels

CANDIDATES = 40
SMALLEST_SHARE, SMALLEST_CHANNEL_SHARE = 0.15, 0.3
"""Of the peak, below which no range is tried: for all channels together, for one alone."""
SMALLEST = 1e-8
MOST_SPREAD = 100.0

Kind = Literal["depthwise", "signed", "unsigned", "offset"]


@dataclass(frozen=True)
class Sample:
    """Some values of an input, (M, C), and the extremes (C,) of all of them."""

    values: Tensor
    low: Tensor
    high: Tensor


def take_sample(x: Tensor, count: int) -> Sample:
    """About `count` pixels of an input (N, C, H, W) or (N, C), evenly taken."""
    pixels = x.flatten(2).transpose(1, 2).flatten(0, 1) if x.ndim == 4 else x
    step = max(1, len(pixels) // count)
    return Sample(pixels[::step], pixels.amin(0), pixels.amax(0))


def join(samples: list[Sample]) -> Sample:
    """Samples of several batches as one."""
    return Sample(
        torch.cat([s.values for s in samples]),
        torch.stack([s.low for s in samples]).amin(0),
        torch.stack([s.high for s in samples]).amax(0),
    )


def kind_of(layer: Layer, sample: Sample, fixed: bool) -> Kind:
    """What may be done with this input; a `fixed` one gets no offset."""
    if layer.is_depthwise:
        return "depthwise"
    if bool((sample.low >= 0).all()):
        return "unsigned"
    may_shift = not any(layer.pads) and not fixed and layer.groups == 1
    return "offset" if may_shift else "signed"


def column_norms(layer: Layer, weight: Tensor) -> Tensor:
    """Norm of the weights (c_out, c_in / groups, ...) that read each input channel: (c_in,)."""
    grouped = weight.reshape(
        layer.groups, layer.c_out // layer.groups, layer.c_in // layer.groups, -1
    )
    return grouped.square().sum((1, 3)).sqrt().flatten()


def spread_of(layer: Layer, sample: Sample, norms: Tensor, kind: Kind) -> Tensor | None:
    """Spread (c_in,) of a dense layer's input, 1 in the geometric mean; None where it has none."""
    if kind not in ("unsigned", "offset") or layer.groups > 1:
        return None
    reach = sample.high - sample.low if kind == "offset" else sample.high
    ratio = (reach.clamp(min=SMALLEST) / norms.clamp(min=SMALLEST)).sqrt()
    ratio = ratio / ratio.log().mean().exp()
    return ratio.clamp(1 / MOST_SPREAD, MOST_SPREAD)


def choose_levels(
    layer: Layer, sample: Sample, weight: Tensor, bits: int, spread: bool, offset: bool
) -> InputLevels:
    """Levels of least error at the layer's output, as far as the norms of its weights tell it.

    `weight` has `Layer.weight_shape`. Spread and offset are used where they are switched on and the
    kind of input has them.
    """
    kind = kind_of(layer, sample, not offset)
    if kind == "depthwise" and spread:
        return depthwise_levels(sample, bits)
    norms = column_norms(layer, weight)
    even = spread_of(layer, sample, norms, kind) if spread else None
    return dense_levels(sample, norms, kind, even, bits)


def dense_levels(
    sample: Sample, norms: Tensor, kind: Kind, spread: Tensor | None, bits: int
) -> InputLevels:
    """One range for all channels, which a spread has brought nearer to each other."""
    even = torch.ones_like(norms) if spread is None else spread
    evened = Sample(sample.values / even, sample.low / even, sample.high / even)
    importance = (norms * even).square()
    if kind == "offset":
        return offset_levels(evened, importance, spread, bits)
    signed = bool((sample.low < 0).any())
    high = positive_levels(bits, signed)
    low = -high if signed else 0
    peak = torch.maximum(evened.high, -evened.low).amax()
    best = best_reach(evened, importance, peak, low, high)
    return InputLevels(high / best, low, high, as_floats(spread))


def best_reach(sample: Sample, importance: Tensor, peak: Tensor, low: int, high: int) -> float:
    """Value of the highest level that loses least."""
    best, least = max(float(peak), SMALLEST), float("inf")
    for share in torch.linspace(SMALLEST_SHARE, 1.0, CANDIDATES).tolist():
        step = max(float(peak) * share, SMALLEST) / high
        rounded = (sample.values / step).round_().clamp_(low, high).mul_(step)
        error = float((rounded.sub_(sample.values).square_().mean(0) * importance).sum())
        if error < least:
            best, least = step * high, error
    return best


def depthwise_levels(sample: Sample, bits: int) -> InputLevels:
    """A range of least squared error for every channel; its unevenness is the spread."""
    signed = bool((sample.low < 0).any())
    high = positive_levels(bits, signed)
    low = -high if signed else 0
    peak = torch.maximum(sample.high, -sample.low).clamp(min=SMALLEST)
    best, least = peak, torch.full_like(peak, float("inf"))
    for share in torch.linspace(SMALLEST_CHANNEL_SHARE, 1.0, CANDIDATES).tolist():
        step = peak * share / high
        rounded = (sample.values / step).round_().clamp_(low, high).mul_(step)
        error = rounded.sub_(sample.values).square_().mean(0)
        best = torch.where(error < least, peak * share, best)
        least = torch.minimum(error, least)
    typical = float(best.log().mean().exp())
    return InputLevels(high / typical, low, high, (best / typical).numpy())


def offset_levels(
    sample: Sample, importance: Tensor, spread: Tensor | None, bits: int
) -> InputLevels:
    """Unsigned levels around the middle of every channel's range."""
    high = positive_levels(bits, signed=False)
    middle = (sample.high + sample.low) / 2
    half = (sample.high - sample.low) / 2
    centred = Sample(sample.values - middle, -half, half)
    reach = best_centred_reach(centred, importance, high)
    offset = middle - reach if spread is None else (middle - reach) * spread
    return InputLevels(high / (2 * reach), 0, high, as_floats(spread), offset.numpy())


def best_centred_reach(sample: Sample, importance: Tensor, high: int) -> float:
    """Half of the span of all levels that loses least."""
    peak = max(float(sample.high.amax()), SMALLEST)
    best, least = peak, float("inf")
    for share in torch.linspace(SMALLEST_SHARE, 1.0, CANDIDATES).tolist():
        reach = peak * share
        step = 2 * reach / high
        rounded = ((sample.values + reach) / step).round_().clamp_(0, high).mul_(step).sub_(reach)
        error = float((rounded.sub_(sample.values).square_().mean(0) * importance).sum())
        if error < least:
            best, least = reach, error
    return best


def as_floats(values: Tensor | None) -> Floats | None:
    """A tensor as float32 numbers."""
    return None if values is None else values.numpy()
