"""Kernels, strides and pads of ONNX operations, height before width."""

from __future__ import annotations

from quant.trace.onnx_call import OnnxCall
from quant.trace.views import Shape
from quant.trace.windows import Window

Pads = tuple[int, int, int, int]


def conv_window(call: OnnxCall, kernel: Shape) -> Window:
    """How a convolution of this kernel moves. Raises ModelError."""
    if len(kernel) != 2:
        raise call.refused(f"has {len(kernel)} dimensions: only images are supported")
    stride, dilation = two(call, "strides", 1), two(call, "dilations", 1)
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    return Window(stride, padded(call, extent, stride), dilation, call.attribute("group", 1))


def padded(call: OnnxCall, extent: Shape, stride: Shape) -> Pads:
    """Pads (left, right, top, bottom) of a window that covers `extent` pixels.

    SAME lets no pixel out: an odd one more is at the end (UPPER) or at the start (LOWER).
    """
    rule = call.attribute("auto_pad", "NOTSET")
    if not rule.startswith("SAME"):
        return (0, 0, 0, 0) if rule == "VALID" else pads_of(call)
    top, left = (
        max(0, (-(-size // step) - 1) * step + reach - size)
        for size, step, reach in zip(call.before[1:], stride, extent, strict=True)
    )
    ends = [(total // 2, total - total // 2) for total in (left, top)]
    (left, right), (top, bottom) = (e if rule == "SAME_UPPER" else e[::-1] for e in ends)
    return left, right, top, bottom


def pads_of(call: OnnxCall) -> Pads:
    """The attribute `pads` (top, left, bottom, right) as (left, right, top, bottom)."""
    top, left, bottom, right = call.attribute("pads") or (0, 0, 0, 0)
    return left, right, top, bottom


def two(call: OnnxCall, name: str, default: int) -> tuple[int, int]:
    """An attribute of two numbers."""
    first, second = call.attribute(name) or (default, default)
    return first, second
