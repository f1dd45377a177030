"""torch's modules, each with what it is to the builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from torch import Tensor, nn

from quant.details import Grouping, Transposed
from quant.errors import ModelError
from quant.fold import Norm, norm_of
from quant.graph import Floats, Weights
from quant.trace import sequences
from quant.trace.activation_modules import ACTIVATIONS
from quant.trace.call import Call
from quant.trace.numbered import group_norm, prelu
from quant.trace.padding import BORDERS, pad, unpadded
from quant.trace.pixel_modules import PIXELS
from quant.trace.seen import Seen
from quant.trace.sequences import Steps
from quant.trace.tokens import TokenBuilder
from quant.trace.windows import Pads, Window, pair, torch_pads

R = TypeVar("R")
Read = Callable[[Call, Any], str | Seen]


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
    own = type(module).forward is not nn.Conv2d.forward
    if own and not hasattr(module, "pads"):
        raise ModelError(
            f"layer {call.target} ({type(module).__name__}) has a forward of its own: only one "
            "with `pads` (left, right, top, bottom) is supported"
        )
    dilation = pair(module.dilation)
    pads = torch_pads(module.padding, pair(module.kernel_size), dilation)
    source, pads = padded(call, module, getattr(module, "pads", pads))
    window = Window(pair(module.stride), pads, dilation, module.groups)
    return call.builder.conv(call.target, source, call.shape, layer_weights(module), window)


def padded(call: Call, module: nn.Conv2d, pads: Pads) -> tuple[str, Pads]:
    """What a convolution reads, and its pads: of anything but zeros a padded image, and none."""
    border = BORDERS.get(module.padding_mode)
    if border is None:
        raise ModelError(f"layer {call.target}: padding_mode 'circular' is not supported")
    if border == "zeros":
        return unpadded(call.builder, call.source, pads)
    return pad(call.builder, f"{call.target}.pad", call.source, pads, border), (0, 0, 0, 0)


def deconv(call: Call, module: nn.ConvTranspose2d) -> str:
    """A transposed convolution; what it pads its output with is less of it to be cut."""
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


def conv1d(call: Call, module: nn.Conv1d) -> Seen:
    """A convolution over one axis."""
    if module.padding_mode != "zeros":
        raise ModelError(f"layer {call.target}: padding_mode '{module.padding_mode}' over one axis")
    value = call.args[0]
    seen = value if isinstance(value, Seen) else call.builder.see(value)
    steps = Steps(module.stride, module.padding, module.dilation, module.groups)
    return sequences.conv1d(call.builder, call.target, seen, layer_weights(module), steps)


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
    layer: nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear, outputs: int | None = None
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


def prelu_of(call: Call, module: nn.PReLU) -> str:
    """A ReLU with slopes of its own."""
    return prelu(call.builder, call.target, call.source, floats(module.weight))


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


def flatten(call: Call, module: nn.Module) -> str:
    """The same numbers in another shape."""
    return call.builder.reshape(call.name, call.source, call.shape)


def identity(call: Call, module: nn.Module) -> str:
    """Nothing."""
    return call.source


MODULES: dict[type, Read] = {
    **ACTIVATIONS,
    **PIXELS,
    nn.Conv2d: conv,
    nn.Conv1d: conv1d,
    nn.ConvTranspose2d: deconv,
    nn.Linear: linear,
    nn.BatchNorm1d: norm,
    nn.BatchNorm2d: norm,
    nn.PReLU: prelu_of,
    nn.LayerNorm: layer_norm,
    nn.GroupNorm: group_norm_of,
    nn.InstanceNorm2d: instance_norm,
    nn.Flatten: flatten,
    nn.Unflatten: flatten,
    nn.Dropout: identity,
    nn.Dropout2d: identity,
    nn.Identity: identity,
}
