"""torch's functions that change the number of pixels, or leave one channel or one pixel."""

from __future__ import annotations

from typing import Any

from quant.details import Interpolation, Neighbours, Pool
from quant.errors import ModelError
from quant.trace.call import Call
from quant.trace.nodes import PIXELS, Axes
from quant.trace.numbered import pixel_shuffle, pixel_unshuffle, response_norm
from quant.trace.padding import BORDERS, pad
from quant.trace.windows import both_sides, even_window, fits, is_even, pair

IMAGE_AXES = 4
MODES: dict[tuple[str, bool], Interpolation] = {
    ("nearest", False): "nearest",
    ("bilinear", False): "bilinear",
    ("bilinear", True): "aligned",
}
"""By torch's name and whether corners are aligned."""


def mean(call: Call) -> str:
    """The mean over all pixels, at once or one axis after the other, or over all channels."""
    if over_channels(call):
        return call.builder.reduce(call.name, call.source, "channel_mean")
    axes = pixel_axes(call)
    if not axes or not axes <= PIXELS:
        raise ModelError(
            f"operation '{call.name}': only the mean over (2, 3), or over 1 with keepdim, is "
            "supported"
        )
    kept = bool(call.argument(2, "keepdim", False))
    return call.builder.mean(call.name, call.source, axes, kept)


def pixel_axes(call: Call) -> Axes:
    """Axes of the image that a mean is over, also where a mean before it took the other one."""
    done = call.builder.averaged(call.source)
    if done and call.before.ndim == IMAGE_AXES - 1:
        return PIXELS - done if axes_of(call, IMAGE_AXES - 1) == {2} else frozenset()
    return frozenset(axis for axis in axes_of(call) if axis is not None)


def maximum(call: Call) -> str:
    """The maximum of all pixels, or of all channels."""
    if over_channels(call):
        return call.builder.reduce(call.name, call.source, "channel_max")
    if axes_of(call) != {2, 3}:
        raise ModelError(
            f"operation '{call.name}': only the maximum over (2, 3), or over 1 with keepdim, is "
            "supported"
        )
    return call.builder.maximum(call.name, call.source)


def axes_of(call: Call, ndim: int = IMAGE_AXES) -> set[int | None]:
    """The axes that a reduction is over; none where what it reads has not `ndim` of them."""
    axes = call.argument(1, "dim")
    found = axes if isinstance(axes, (tuple, list)) else (axes,)
    return {a if a is None else call.axis(a) for a in found} if call.before.ndim == ndim else set()


def over_channels(call: Call) -> bool:
    """Whether a reduction is over the channels of an image, of which one stays."""
    return axes_of(call) == {1} and bool(call.argument(2, "keepdim", False))


def adaptive_pool(call: Call) -> str:
    """An adaptive average: a plain one where its windows are all the same."""
    before, after = tuple(call.before.shape[1:]), call.shape
    if not is_even(before, after):
        return call.builder.adaptive_pool(call.name, call.source, after)
    return call.builder.avg_pool(call.name, call.source, after, even_window(before, after))


def even_max_pool(call: Call) -> str:
    """An adaptive maximum whose windows are all the same."""
    before, after = tuple(call.before.shape[1:]), call.shape
    if not is_even(before, after):
        sizes = " in ".join(f"{height}x{width}" for _, height, width in (before, after))
        raise ModelError(
            f"'{call.name}': an adaptive maximum of pixels {sizes} is not supported, since these "
            "do not divide evenly"
        )
    return call.builder.max_pool(call.name, call.source, after, even_window(before, after))


def max_pool(call: Call) -> str:
    """Max pooling."""
    if pair(call.argument(4, "dilation", 1)) != (1, 1):
        raise ModelError(f"operation '{call.name}': max pooling with dilation is not supported")
    return call.builder.max_pool(call.name, call.source, call.shape, window_of(call, False))


def avg_pool(call: Call) -> str:
    """Average pooling."""
    if call.argument(6, "divisor_override") is not None:
        raise ModelError(f"operation '{call.name}': divisor_override is not supported")
    counts = bool(call.argument(5, "count_include_pad", True))
    return call.builder.avg_pool(call.name, call.source, call.shape, window_of(call, counts))


def window_of(call: Call, counts_pads: bool) -> Pool:
    """Kernel, stride and padding of a pooling function."""
    kernel = pair(call.argument(1, "kernel_size"))
    stride = call.argument(2, "stride") or kernel
    pads = both_sides(call.argument(3, "padding", 0))
    return Pool(kernel, pair(stride), pads, counts_pads)


def interpolate(call: Call) -> str:
    """More or fewer pixels."""
    mode, corners = call.argument(3, "mode", "nearest"), call.argument(4, "align_corners")
    if call.kwargs.get("antialias"):
        raise ModelError(f"operation '{call.name}': antialias is not supported")
    again = call.argument(5, "recompute_scale_factor")
    return resize(call, mode, bool(corners), None if again else call.argument(2, "scale_factor"))


def resize(call: Call, mode: str, align_corners: bool, factors: Any = None) -> str:
    """More or fewer pixels; by `factors` of height and width, or one for both, if they are given.

    Raises ModelError where these leave a part of a pixel: then torch maps pixels by them, not by
    the sizes.
    """
    kind = MODES.get((mode, align_corners))
    if kind is None:
        raise ModelError(
            f"operation '{call.name}': of resizing only mode nearest and bilinear are supported"
        )
    if factors is not None and not fits(tuple(call.before.shape[1:]), call.shape, factors):
        raise ModelError(
            f"operation '{call.name}' resizes by {factors}, which leaves a part of a pixel: give "
            "a size, or recompute_scale_factor=True"
        )
    return call.builder.resize(call.name, call.source, call.shape, kind)


def to_pixels(call: Call) -> str:
    """Pixels made of channels."""
    return pixel_shuffle(call.builder, call.name, call.source, call.argument(1, "upscale_factor"))


def from_pixels(call: Call) -> str:
    """Channels made of pixels."""
    side = call.argument(1, "downscale_factor")
    return pixel_unshuffle(call.builder, call.name, call.source, side)


def padded(call: Call) -> str:
    """pad(x, amounts, mode, value): pixels mirrored or repeated, or zeros."""
    mode, value = call.argument(2, "mode", "constant"), call.argument(3, "value")
    border = BORDERS.get(mode)
    if border is None or value or len(call.args[1]) not in (2, 4):
        raise ModelError(f"operation '{call.name}' pads other than zeros or pixels of the image")
    return pad(call.builder, call.name, call.source, [*call.args[1], 0, 0][:4], border)


def local_response_norm(call: Call) -> str:
    """A norm of each channel by its neighbours: local_response_norm(x, size, alpha, beta, k)."""
    size, alpha = call.argument(1, "size"), call.argument(2, "alpha", 1e-4)
    how = Neighbours(size, alpha, call.argument(3, "beta", 0.75), call.argument(4, "k", 1.0))
    return response_norm(call.builder, call.name, call.source, how)
