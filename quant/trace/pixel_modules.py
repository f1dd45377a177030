"""torch's modules that change, pad or move pixels, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from quant.details import Neighbours, Pool
from quant.errors import ModelError
from quant.trace.call import Call
from quant.trace.numbered import pixel_shuffle, pixel_unshuffle, response_norm
from quant.trace.padding import pad
from quant.trace.pools import adaptive_pool, even_max_pool, resize
from quant.trace.windows import both_sides, pair

Read = Callable[[Call, Any], str]


def to_pixels(call: Call, module: nn.PixelShuffle) -> str:
    """Pixels made of channels."""
    return pixel_shuffle(call.builder, call.name, call.source, module.upscale_factor)


def max_pool(call: Call, module: nn.MaxPool2d) -> str:
    """Max pooling."""
    if pair(module.dilation) != (1, 1):
        raise ModelError(f"layer {call.target}: max pooling with dilation is not supported")
    window = Pool(pair(module.kernel_size), pair(module.stride), both_sides(module.padding))
    return call.builder.max_pool(call.name, call.source, call.shape, window)


def avg_pool(call: Call, module: nn.AvgPool2d) -> str:
    """Average pooling."""
    if module.divisor_override is not None:
        raise ModelError(f"layer {call.target}: divisor_override is not supported")
    window = Pool(
        pair(module.kernel_size),
        pair(module.stride),
        both_sides(module.padding),
        module.count_include_pad,
    )
    return call.builder.avg_pool(call.name, call.source, call.shape, window)


def adaptive_average(call: Call, module: nn.AdaptiveAvgPool2d) -> str:
    """An adaptive average."""
    return adaptive_pool(call)


def adaptive_max_pool(call: Call, module: nn.AdaptiveMaxPool2d) -> str:
    """An adaptive maximum whose windows are all the same."""
    return even_max_pool(call)


def shuffle(call: Call, module: nn.ChannelShuffle) -> str:
    """Channels dealt out to groups."""
    return call.builder.shuffle(call.name, call.source, module.groups)


def upsample(call: Call, module: nn.Upsample) -> str:
    """More pixels."""
    factors = None if module.recompute_scale_factor else module.scale_factor
    return resize(call, module.mode, bool(module.align_corners), factors)


def from_pixels(call: Call, module: nn.PixelUnshuffle) -> str:
    """Channels made of pixels."""
    return pixel_unshuffle(call.builder, call.name, call.source, module.downscale_factor)


def zero_pad(call: Call, module: nn.ZeroPad2d) -> str:
    """Zeros."""
    return pad(call.builder, call.name, call.source, module.padding, "zeros")


def reflection_pad(call: Call, module: nn.ReflectionPad2d) -> str:
    """Pixels mirrored in the outermost ones."""
    return pad(call.builder, call.name, call.source, module.padding, "reflect")


def replication_pad(call: Call, module: nn.ReplicationPad2d) -> str:
    """The outermost pixels again."""
    return pad(call.builder, call.name, call.source, module.padding, "replicate")


def local_response_norm(call: Call, module: nn.LocalResponseNorm) -> str:
    """A norm of each channel by its neighbours."""
    how = Neighbours(module.size, module.alpha, module.beta, module.k)
    return response_norm(call.builder, call.name, call.source, how)


PIXELS: dict[type, Read] = {
    nn.PixelShuffle: to_pixels,
    nn.PixelUnshuffle: from_pixels,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: avg_pool,
    nn.AdaptiveAvgPool2d: adaptive_average,
    nn.AdaptiveMaxPool2d: adaptive_max_pool,
    nn.ChannelShuffle: shuffle,
    nn.Upsample: upsample,
    nn.ZeroPad2d: zero_pad,
    nn.ReflectionPad2d: reflection_pad,
    nn.ReplicationPad2d: replication_pad,
    nn.LocalResponseNorm: local_response_norm,
}
