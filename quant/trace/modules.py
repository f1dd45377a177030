"""torch's modules, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from torch import Tensor, nn

from quant.details import Factor, Grouping, Pool, Slope, Transposed
from quant.errors import ModelError
from quant.fold import Norm, norm_of
from quant.graph import Floats, Op, Weights
from quant.trace.activations import refuse_tanh
from quant.trace.call import Call
from quant.trace.numbered import clip, group_norm, pixel_shuffle, prelu
from quant.trace.pools import adaptive_pool, even_max_pool, resize
from quant.trace.tokens import TokenBuilder
from quant.trace.windows import Window, both_sides, pair, torch_pads

R = TypeVar("R")
Read = Callable[[Call, Any], str]


def reader_of(name: str, module: nn.Module) -> Read:
    """What reads a module. Raises ModelError where nothing does."""
    found = nearest(MODULES, module)
    if found is None:
        raise ModelError(f"layer {name} ({type(module).__name__}) is not supported")
    return found


def nearest(readers: Mapping[type, R], module: nn.Module) -> R | None:
    """The reader of a module's type, or of the nearest one above it that has any."""
    return next((readers[kind] for kind in type(module).__mro__ if kind in readers), None)


def conv(call: Call, module: nn.Conv2d) -> str:
    """A convolution; `pads` of a subclass that pads for itself win over torch's padding."""
    refuse_padding_mode(call, module)
    own = type(module).forward is not nn.Conv2d.forward
    if own and not hasattr(module, "pads"):
        raise ModelError(
            f"layer {call.target} ({type(module).__name__}) has a forward of its own: only one "
            "with `pads` (left, right, top, bottom) is supported"
        )
    dilation = pair(module.dilation)
    pads = torch_pads(module.padding, pair(module.kernel_size), dilation)
    window = Window(pair(module.stride), getattr(module, "pads", pads), dilation, module.groups)
    return call.builder.conv(call.target, call.source, call.shape, layer_weights(module), window)


def deconv(call: Call, module: nn.ConvTranspose2d) -> str:
    """A transposed convolution; what it pads its output with is less of it to be cut."""
    refuse_padding_mode(call, module)
    top, left = module.padding if isinstance(module.padding, tuple) else (0, 0)
    (more_y, more_x), stride = pair(module.output_padding), pair(module.stride)
    if more_y >= stride[0] or more_x >= stride[1]:
        # torch allows as much as the dilation; onnxruntime does not.
        raise ModelError(f"layer {call.target}: output_padding must be less than its stride")
    how = Transposed(
        pair(module.kernel_size),
        stride,
        (left, left - more_x, top, top - more_y),
        pair(module.dilation),
        module.groups,
    )
    weights = layer_weights(module, module.out_channels)
    return call.builder.deconv(call.target, call.source, call.shape, weights, how)


def refuse_padding_mode(call: Call, module: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Raise ModelError where anything but zeros is padded."""
    if module.padding_mode != "zeros":
        raise ModelError(
            f"layer {call.target}: padding_mode '{module.padding_mode}' is not supported: pad zeros"
        )


def linear(call: Call, module: nn.Linear) -> str:
    """A matrix product of a vector."""
    if call.before.ndim != 2:
        raise ModelError(f"layer {call.target} reads no vector: flatten before it")
    return call.builder.linear(call.target, call.source, layer_weights(module))


def norm(call: Call, module: nn.BatchNorm2d) -> str:
    """A batch norm."""
    return call.builder.norm(call.target, call.source, norm_numbers(call.target, module))


def norm_numbers(name: str, module: nn.BatchNorm2d | nn.InstanceNorm2d) -> Norm:
    """Statistics and weights of a batch norm. Raises ModelError where it has no statistics."""
    if module.running_mean is None or module.running_var is None:
        raise ModelError(f"batch norm {name} has no running statistics: it cannot be folded")
    gamma, beta = (floats(module.weight), floats(module.bias)) if module.affine else (None, None)
    mean, variance = floats(module.running_mean), floats(module.running_var)
    return norm_of(mean, variance, gamma, beta, module.eps)


def layer_weights(
    layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, outputs: int | None = None
) -> Weights:
    """float32 copies of a layer's weight and bias; a missing bias becomes zeros."""
    weight = floats(layer.weight)
    if layer.bias is None:
        return Weights(weight, np.zeros(outputs or len(weight), np.float32))
    return Weights(weight, floats(layer.bias))


def floats(values: Tensor) -> Floats:
    """A copy as float32 numbers."""
    found: Floats = values.detach().cpu().numpy().astype(np.float32)
    return found


def activation(op: Op) -> Read:
    """A module that is one activation."""
    return lambda call, _: call.builder.activate(call.name, call.source, op)


def leaky_relu(call: Call, module: nn.LeakyReLU) -> str:
    """A ReLU with a slope."""
    slope = Slope(module.negative_slope)
    return call.builder.activate(call.name, call.source, "leaky_relu", slope)


def gelu(call: Call, module: nn.GELU) -> str:
    """A GELU, exactly."""
    refuse_tanh(call.target, module.approximate)
    return call.builder.activate(call.name, call.source, "gelu")


def softmax(call: Call, module: nn.Softmax) -> str:
    """A softmax over the last axis of an image, or over classes at the end."""
    if call.axis(1 if module.dim is None else module.dim) == 1:
        return call.builder.end(call.name, call.source)
    if call.before.ndim != 4 or module.dim not in (-1, 3):
        raise ModelError(f"layer {call.target}: only a softmax of scores is supported")
    return call.builder.activate(call.name, call.source, "softmax", Factor(1.0))


def log_softmax(call: Call, module: nn.LogSoftmax) -> str:
    """Logarithms of a softmax over classes, at the end."""
    if call.axis(1 if module.dim is None else module.dim) != 1:
        raise ModelError(f"layer {call.target}: only a softmax over classes is supported")
    return call.builder.end(call.name, call.source)


def layer_norm(call: Call, module: nn.LayerNorm) -> str:
    """A norm of a vector."""
    builder, weights = TokenBuilder(call.builder), norm_weights(call, module)
    return builder.vector_norm(call.target, call.source, weights, module.eps)


def norm_weights(call: Call, module: nn.LayerNorm) -> Weights:
    """Factors and shifts (C,) of a layer norm. Raises ModelError for one over several axes."""
    if len(module.normalized_shape) != 1:
        raise ModelError(f"layer norm {call.target}: only one over the channels is supported")
    ones = np.ones(module.normalized_shape, np.float32)
    weight = ones if module.weight is None else floats(module.weight)
    return Weights(weight, 0 * ones if module.bias is None else floats(module.bias))


def elu(call: Call, module: nn.ELU) -> str:
    """An exponential linear unit."""
    return call.builder.activate(call.name, call.source, "elu", Slope(module.alpha))


def softplus(call: Call, module: nn.Softplus) -> str:
    """The logarithm of 1 and the exponential."""
    if (module.beta, module.threshold) != (1, 20):
        raise ModelError(f"layer {call.target}: a softplus with a beta or threshold of its own")
    return call.builder.activate(call.name, call.source, "softplus")


def prelu_of(call: Call, module: nn.PReLU) -> str:
    """A ReLU with slopes of its own."""
    return prelu(call.builder, call.target, call.source, floats(module.weight))


def hardtanh(call: Call, module: nn.Hardtanh) -> str:
    """Values between two limits; ReLU6 is one of these."""
    limits = float(module.min_val), float(module.max_val)
    return clip(call.builder, call.name, call.source, *limits)


def group_norm_of(call: Call, module: nn.GroupNorm) -> str:
    """A norm over groups of channels."""
    weights = Weights(floats(module.weight), floats(module.bias)) if module.affine else None
    how = Grouping(module.num_groups, module.eps)
    return group_norm(call.builder, call.target, call.source, how, weights)


def instance_norm(call: Call, module: nn.InstanceNorm2d) -> str:
    """A norm over each channel, by its statistics where it has any."""
    if module.running_mean is not None:
        return call.builder.norm(call.target, call.source, norm_numbers(call.target, module))
    weights = Weights(floats(module.weight), floats(module.bias)) if module.affine else None
    how = Grouping(call.shape[0], module.eps)
    return group_norm(call.builder, call.target, call.source, how, weights)


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


def flatten(call: Call, module: nn.Module) -> str:
    """The same numbers in another shape."""
    return call.builder.reshape(call.name, call.source, call.shape)


def identity(call: Call, module: nn.Module) -> str:
    """Nothing."""
    return call.source


MODULES: dict[type, Read] = {
    nn.Conv2d: conv,
    nn.ConvTranspose2d: deconv,
    nn.Linear: linear,
    nn.BatchNorm1d: norm,
    nn.BatchNorm2d: norm,
    nn.ReLU: activation("relu"),
    nn.ReLU6: activation("relu6"),
    nn.Hardtanh: hardtanh,
    nn.LeakyReLU: leaky_relu,
    nn.Sigmoid: activation("sigmoid"),
    nn.Hardsigmoid: activation("hardsigmoid"),
    nn.Hardswish: activation("hardswish"),
    nn.SiLU: activation("silu"),
    nn.GELU: gelu,
    nn.Softmax: softmax,
    nn.LogSoftmax: log_softmax,
    nn.Mish: activation("mish"),
    nn.Softplus: softplus,
    nn.Tanh: activation("tanh"),
    nn.ELU: elu,
    nn.PReLU: prelu_of,
    nn.LayerNorm: layer_norm,
    nn.GroupNorm: group_norm_of,
    nn.InstanceNorm2d: instance_norm,
    nn.PixelShuffle: to_pixels,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: avg_pool,
    nn.AdaptiveAvgPool2d: adaptive_average,
    nn.AdaptiveMaxPool2d: adaptive_max_pool,
    nn.ChannelShuffle: shuffle,
    nn.Upsample: upsample,
    nn.Flatten: flatten,
    nn.Unflatten: flatten,
    nn.Dropout: identity,
    nn.Dropout2d: identity,
    nn.Identity: identity,
}
