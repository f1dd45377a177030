"""ONNX operations that change the number of pixels."""

from __future__ import annotations

from typing import Any

from quant.details import Interpolation, Pool
from quant.trace import padding
from quant.trace.nodes import PIXELS, Axes
from quant.trace.onnx_call import OnnxCall
from quant.trace.onnx_windows import padded, two
from quant.trace.padding import BORDERS
from quant.trace.pending import Value
from quant.trace.windows import fits, is_even

AREAS = ("half_pixel", "pytorch_half_pixel")
COORDINATES = "coordinate_transformation_mode"
LINEAR: dict[str, Interpolation] = {
    **dict.fromkeys(AREAS, "bilinear"),
    "align_corners": "aligned",
}
"""Coordinates of pixels that are areas."""


def max_pool(call: OnnxCall) -> Value:
    """Max pooling."""
    if two(call, "dilations", 1) != (1, 1) or len(call.step.outputs) > 1:
        raise call.refused("has dilation or gives indices, which is not supported")
    return call.pending.builder.max_pool(call.name, call.source, call.shape, window(call))


def average_pool(call: OnnxCall) -> Value:
    """Average pooling; zeros that were padded before it are counted."""
    if two(call, "dilations", 1) != (1, 1):
        raise call.refused("has dilation, which is not supported")
    own = window(call, bool(call.attribute("count_include_pad", 0)))
    source, pads = call.pending.window(call.value, own.pads)
    if pads != own.pads and any(own.pads) and not own.counts_pads:
        raise call.refused("counts some of the padding only, which is not supported")
    pool = Pool(own.kernel, own.stride, pads, own.counts_pads or pads != own.pads)
    return call.pending.builder.avg_pool(call.name, source, call.shape, pool)


def window(call: OnnxCall, counts_pads: bool = False) -> Pool:
    """Kernel, stride and padding of a pool."""
    kernel, stride = two(call, "kernel_shape", 1), two(call, "strides", 1)
    return Pool(kernel, stride, padded(call, kernel, stride), counts_pads)


def mean(call: OnnxCall) -> Value:
    """The mean over all pixels, at once or one axis after the other, or over all channels."""
    if over_channels(call):
        return call.pending.builder.reduce(call.name, call.source, "channel_mean")
    done, axes = call.pending.builder.averaged(call.source), axes_of(call)
    if done and len(call.before) == 2 and axes == {2}:
        axes = PIXELS - done
    if not axes or not axes <= PIXELS:
        raise call.refused("is over other axes than (2, 3), or (1) that stays")
    kept = bool(call.attribute("keepdims", 1))
    return call.pending.builder.mean(call.name, call.source, axes, kept)


def global_max_pool(call: OnnxCall) -> Value:
    """The maximum of all pixels, or of all channels."""
    if over_channels(call):
        return call.pending.builder.reduce(call.name, call.source, "channel_max")
    if axes_of(call) != PIXELS:
        raise call.refused("is over other axes than (2, 3), or (1) that stays")
    return call.pending.builder.maximum(call.name, call.source)


def over_channels(call: OnnxCall) -> bool:
    """Whether a reduction is over channels, of which one stays."""
    return axes_of(call) == {1} and bool(call.attribute("keepdims", 1))


def axes_of(call: OnnxCall) -> Axes:
    """The axes that a reduction or a global pool is over."""
    if not call.step.op.startswith("Reduce"):
        return PIXELS
    given = None if len(call.step.inputs) < 2 else call.constant(1)
    axes = call.attribute("axes", ()) if given is None else given.tolist()
    return frozenset(call.axis(axis) for axis in axes)


def pad(call: OnnxCall) -> Value:
    """Zeros around an image, or pixels of it."""
    amounts, fill = call.constant(1), call.constant(2)
    given = call.attribute("pads") if amounts is None else amounts.tolist()
    axes = None if len(call.step.inputs) < 4 else call.constant(3)
    zeros = fill is None or fill.item() == 0
    border = BORDERS.get(call.attribute("mode", "constant"))
    if border is None or not zeros or axes is not None:
        raise call.refused(
            "pads other than zeros or pixels of the image, or some axes only: this is not supported"
        )
    batch, channel, top, left, *ends = given
    if any((batch, channel, *ends[:2])):
        raise call.refused("pads other than pixels, which is not supported")
    pads = (left, ends[3], top, ends[2])
    if border == "zeros":
        return call.pending.pad(call.name, call.value, pads)
    return padding.pad(call.pending.builder, call.name, call.source, pads, border)


def resize(call: OnnxCall) -> Value:
    """More or fewer pixels."""
    kind, scales = interpolation_of(call), call.constant(2)
    if kind is None or call.attribute("antialias", 0):
        raise call.refused(
            "is not supported: only nearest and linear (half_pixel or align_corners) are"
        )
    if scales is not None and scales.size and not fits(call.before, call.shape, scales[-2:]):
        raise call.refused("resizes by what leaves a part of a pixel: give sizes")
    return call.pending.builder.resize(call.name, call.source, call.shape, kind)


def interpolation_of(call: OnnxCall) -> Interpolation | None:
    """How pixels are made; None for another way than ours."""
    mode, where = call.attribute("mode", "nearest"), call.attribute(COORDINATES, "half_pixel")
    if mode == "linear":
        return LINEAR.get(where)
    return "nearest" if mode == "nearest" and repeats(call, where) else None


def repeats(call: OnnxCall, where: str) -> bool:
    """Whether the nearest pixel of i is floor(i * before / after).

    Nearest to the middle of a pixel is the same where each is repeated a whole number of times.
    """
    rounding: Any = call.attribute("nearest_mode", "round_prefer_floor")
    if where == "asymmetric":
        return bool(rounding == "floor")
    return where in AREAS and rounding.startswith("round") and is_even(call.shape, call.before)
