"""Shapes of all blobs from that of the input, and the limits on what a network may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from device_agent.models.attention import (
    memory_shape,
    normed_shape,
    permuted_shape,
    product_operations,
    product_shape,
    softened_shape,
)
from device_agent.models.rearranged import (
    Image,
    Shape,
    concat_shape,
    crop_shape,
    gathered_shape,
    given,
    grouped_shape,
    joined_shape,
    local_shape,
    padded_shape,
    reduced_shape,
    reshaped,
    resized_shape,
    scaled_shape,
    shuffled_shape,
    squared_shape,
)
from quant.errors import FormatError
from quant.ncnn.build import OUTPUT_BLOB
from quant.ncnn.format import NcnnLayer

MAX_ELEMENTS = 2**24
"""Numbers in a blob with its padding: 64 MiB in float32, 64 channels of 512 x 512 pixels."""
MAX_ALL_ELEMENTS = 2**27
"""Numbers in all blobs together: 512 MiB in float32. A profile holds them all at once."""
MAX_UNFOLDED = 2**27
"""Numbers of one convolution's input that ncnn may lay out anew, a column a pixel: 512 MiB."""
MAX_MACS = 2 * 10**10
"""Multiply-accumulates of a run: VGG-19 on 224 x 224 pixels; seconds on a small board."""
MAX_ROW = 2**17
"""Weights of one output: the sum of so many products of int8 values just fits in 32 bits."""


SAME_SHAPE = frozenset(
    {
        *("Split", "ReLU", "Clip", "Sigmoid", "Swish", "HardSigmoid", "HardSwish", "GELU"),
        *("Mish", "Softplus", "TanH", "ELU", "SELU", "CELU", "AbsVal", "UnaryOp"),
    }
)


@dataclass(frozen=True)
class Axis:
    """A window that moves along an axis, in pixels."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def pads(self) -> int:
        """Pads of both sides."""
        return self.before + self.after

    def reached(self, side: int) -> int:
        """Side of what a transposed window reaches from every pixel."""
        return (side - 1) * self.stride + self.dilation * (self.kernel - 1) + 1

    def padded(self, side: int) -> int:
        """Side with padding."""
        return side + self.pads

    def positions(self, side: int) -> int:
        """Places where the window fits: less than one if it does not."""
        return (self.padded(side) - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


def check_shapes(layers: Sequence[NcnnLayer], input_shape: tuple[int, int, int]) -> Shape:
    """Shape of the output: logits (classes,), or of every pixel (classes, height, width).

    Raises FormatError where a layer does not fit its input, or the network takes more than a limit
    allows. Types, parameters and wiring must be checked before.
    """
    shapes: dict[str, Shape] = {}
    macs = elements = 0
    for layer in layers:
        inputs = [shapes[blob] for blob in layer.inputs]
        output = output_shape(layer, inputs) if inputs else given_shape(layer, input_shape)
        within(layer, prod(output), MAX_ELEMENTS, "numbers in its output")
        shapes.update(dict.fromkeys(layer.outputs, output))
        elements += prod(output) * len(layer.outputs)
        macs += operations(layer, inputs, output)
        within(layer, elements, MAX_ALL_ELEMENTS, "numbers in all outputs up to it")
        within(layer, macs, MAX_MACS, "multiplications up to it")
    return shapes[OUTPUT_BLOB]


def given_shape(layer: NcnnLayer, input_shape: Image) -> Shape:
    """Shape of what reads nothing: the image, or numbers of the file."""
    return memory_shape(layer) if layer.type == "MemoryData" else input_shape


def within(layer: NcnnLayer, amount: int, limit: int, what: str) -> None:
    """Raise FormatError where an amount is over its limit."""
    if amount > limit:
        raise FormatError(f"layer {layer.name}: {amount} {what}, the limit is {limit}")


def output_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a layer's outputs. Raises FormatError where the inputs do not fit it."""
    first = inputs[0]
    if layer.type in SAME_SHAPE:
        return first
    if layer.type in ANY_SHAPE:
        return ANY_SHAPE[layer.type](layer, inputs)
    if len(first) != 3:
        raise FormatError(f"layer {layer.name}: {layer.type} needs an image, not a vector")
    return IMAGE_SHAPE[layer.type](layer, (first[0], first[1], first[2]))


def linear_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of an InnerProduct's output, whose weights must go with its input."""
    shape = inputs[0]
    check_weight_count(layer, prod(shape), f"{prod(shape)} inputs")
    return (layer.c_out,)


def conv_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a convolution's output, whose weights must go with its input."""
    channels, height, width = shape
    vertical, horizontal = conv_axes(layer)
    groups = check_groups(layer, channels)
    row = channels // groups * vertical.kernel * horizontal.kernel
    kernel = f"a {vertical.kernel}x{horizontal.kernel} kernel"
    check_weight_count(layer, row, f"{channels} input channels, {groups} groups and {kernel}")
    output = (layer.c_out, vertical.positions(height), horizontal.positions(width))
    check_window(layer, shape, vertical, horizontal)
    within(layer, row * output[1] * output[2], MAX_UNFOLDED, "numbers to unfold")
    return output


def check_groups(layer: NcnnLayer, channels: int) -> int:
    """The layer's groups. Raises FormatError where they do not divide its channels."""
    groups = layer.integer(7, 1)
    if channels % groups or layer.c_out % groups:
        raise FormatError(
            f"layer {layer.name}: {groups} groups do not divide "
            f"{channels} input and {layer.c_out} output channels"
        )
    return groups


def deconv_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a transposed convolution's output, whose weights must go with its input."""
    channels, height, width = shape
    vertical, horizontal = conv_axes(layer)
    groups, taps = check_groups(layer, channels), vertical.kernel * horizontal.kernel
    check_weight_count(layer, channels // groups * taps, f"{channels} inputs, {groups} groups")
    within(layer, layer.c_out * taps * height * width, MAX_UNFOLDED, "numbers to fold")
    rows = vertical.reached(height) + layer.integer(19)
    columns = horizontal.reached(width) + layer.integer(18)
    within(layer, layer.c_out * rows * columns, MAX_ELEMENTS, "numbers before its pads are cut")
    rows, columns = rows - vertical.pads, columns - horizontal.pads
    if rows < 1 or columns < 1:
        raise FormatError(f"layer {layer.name}: its pads cut all of its output")
    return (layer.c_out, rows, columns)


def pool_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Pooling's output; global pooling gives a vector."""
    channels, height, width = shape
    if layer.integer(4):
        return (channels,)
    if layer.integer(7):
        return (channels, *given(layer, 18, 8))
    if 1 not in layer.params or layer.integer(5) != 1:
        raise FormatError(f"layer {layer.name}: a Pooling needs a kernel (1=) and pad mode 1 (5=1)")
    vertical, horizontal = pool_axes(layer)
    if any(max(axis.before, axis.after) >= axis.kernel for axis in (vertical, horizontal)):
        raise FormatError(f"layer {layer.name}: its padding must be less than its kernel")
    check_window(layer, shape, vertical, horizontal)
    return (channels, vertical.positions(height), horizontal.positions(width))


def check_weight_count(layer: NcnnLayer, row: int, why: str) -> None:
    """Raise FormatError unless the layer has `row` weights for each output."""
    within(layer, row, MAX_ROW, "weights for one output")
    if layer.weight_count != layer.c_out * row:
        raise FormatError(
            f"layer {layer.name} has {layer.weight_count} weights, but {layer.c_out} outputs "
            f"from {why} take {layer.c_out * row}"
        )


def check_window(layer: NcnnLayer, shape: Shape, vertical: Axis, horizontal: Axis) -> None:
    """Raise FormatError where a window does not fit, or padding makes the input too large."""
    channels, height, width = shape
    if vertical.positions(height) < 1 or horizontal.positions(width) < 1:
        raise FormatError(
            f"layer {layer.name}: a {vertical.kernel}x{horizontal.kernel} kernel does not fit an "
            f"input of {height}x{width} pixels"
        )
    padded = channels * vertical.padded(height) * horizontal.padded(width)
    within(layer, padded, MAX_ELEMENTS, "numbers in its padded input")


def conv_axes(layer: NcnnLayer) -> tuple[Axis, Axis]:
    """Height and width of a convolution's window, with ncnn's defaults."""
    integer = layer.integer
    kernel, dilation, stride, left = integer(1), integer(2, 1), integer(3, 1), integer(4)
    top = integer(14, left)
    return (
        Axis(
            integer(11, kernel), integer(13, stride), integer(12, dilation), top, integer(16, top)
        ),
        Axis(kernel, stride, dilation, left, integer(15, left)),
    )


def pool_axes(layer: NcnnLayer) -> tuple[Axis, Axis]:
    """Height and width of a pooling window, with ncnn's defaults."""
    integer = layer.integer
    kernel, stride, left = integer(1), integer(2, 1), integer(3)
    top = integer(13, left)
    return (
        Axis(integer(11, kernel), integer(12, stride), 1, top, integer(15, top)),
        Axis(kernel, stride, 1, left, integer(14, left)),
    )


def operations(layer: NcnnLayer, inputs: Sequence[Shape], output: Shape) -> int:
    """Multiply-accumulates of a layer, or for one without weights the numbers that it touches."""
    if layer.is_weighted:
        return layer.weight_count * prod(output[1:])
    if layer.type == "MatMul":
        return product_operations(inputs, output)
    if layer.type in ("Deconvolution", "DeconvolutionDepthWise"):
        return layer.weight_count * prod(inputs[0][1:])
    if layer.type == "Pooling" and layer.integer(7):
        # Two cells share a pixel at most in each direction.
        return 4 * max(prod(output), *map(prod, inputs))
    if layer.type == "Pooling" and not layer.integer(4):
        vertical, horizontal = pool_axes(layer)
        return prod(output) * vertical.kernel * horizontal.kernel
    if layer.type == "LRN":
        return prod(output) * layer.integer(1)
    return max(prod(output), sum(map(prod, inputs)))


ANY_SHAPE: Mapping[str, Callable[[NcnnLayer, Sequence[Shape]], Shape]] = {
    "InnerProduct": linear_shape,
    "BinaryOp": joined_shape,
    "Concat": concat_shape,
    "Crop": crop_shape,
    "Reshape": reshaped,
    "Scale": scaled_shape,
    "PReLU": scaled_shape,
    "MatMul": product_shape,
    "LayerNorm": normed_shape,
}
"""Types that take vectors and images."""
IMAGE_SHAPE: Mapping[str, Callable[[NcnnLayer, Image], Shape]] = {
    "Convolution": conv_shape,
    "ConvolutionDepthWise": conv_shape,
    "Pooling": pool_shape,
    "ShuffleChannel": shuffled_shape,
    "Interp": resized_shape,
    "Deconvolution": deconv_shape,
    "DeconvolutionDepthWise": deconv_shape,
    "Permute": permuted_shape,
    "Softmax": softened_shape,
    "GroupNorm": grouped_shape,
    "PixelShuffle": squared_shape,
    "Reduction": reduced_shape,
    "Reorg": gathered_shape,
    "Padding": padded_shape,
    "LRN": local_shape,
}
