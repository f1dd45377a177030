"""Nodes and weights of a network, added one by one by whoever reads one.

    builder = Builder()
    x = builder.image("x", (3, 32, 32))
    x = builder.conv("stem", x, (8, 16, 16), weights, Window(stride=(2, 2), pads=(1, 1, 1, 1)))
    x = builder.norm("stem_norm", x, norm_of(mean, variance, gamma, beta, 1e-5))
    x = builder.activate("relu", x, "relu")
    network = builder.finish(x, (8, 16, 16))

Every method takes the name of what it makes, the names of what it reads, and where it needs it the
shape of its output for one image; it returns the name by which the value is read. What is used
twice becomes two nodes, with numbers of their own. Readers need not
fold or fuse anything: `finish` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from quant.details import Cells, Channels, Detail, Groups, Interpolation, Pool, Resize, Transposed
from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Layer, Network, Node, Op, Weights
from quant.trace.ends import inputs_refused
from quant.trace.fuse import fuse
from quant.trace.seen import Seen, whole
from quant.trace.views import Shape, View, dealt_groups, is_flattening, shows_pixel
from quant.trace.windows import Window, average_window, fitted

Axes = frozenset[int]
PIXELS: Axes = frozenset({2, 3})
"""Rows and columns of images, the batch being axis 0."""


class Builder:
    """Collects nodes in the order in which they are computed. All methods raise ModelError."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._weights: dict[str, Weights] = {}
        self._norms: dict[str, Norm] = {}
        self._views: dict[str, View] = {}
        self._ends: dict[str, str] = {}
        self._halves: dict[str, tuple[str, Axes]] = {}

    def image(self, name: str, shape: Shape) -> str:
        """The one input (C, H, W)."""
        if self.nodes:
            raise inputs_refused((next(iter(self.nodes)), name))
        return self.append(Node(name, "input", (), shape))

    def conv(self, name: str, source: str, shape: Shape, weights: Weights, window: Window) -> str:
        """A convolution with weights (c_out, c_in / groups, height, width)."""
        before = self.image_shape(name, source)
        c_out, row, *kernel = weights.weight.shape
        layer = Layer(
            name,
            "conv",
            row * window.groups,
            c_out,
            (kernel[0], kernel[1]),
            window.stride,
            window.pads,
            window.dilation,
            window.groups,
            (before[1], before[2]),
            (shape[1], shape[2]),
        )
        return self._layer(layer, source, shape, weights)

    def linear(self, name: str, source: str, weights: Weights) -> str:
        """A matrix product with weights (c_out, c_in), of a vector or an image of one pixel."""
        c_out, c_in = weights.weight.shape
        shape = self.shape(name, source)
        if shape not in ((c_in,), (c_in, 1, 1)):
            raise ModelError(f"layer {name} reads {written(shape)}, not a vector: flatten it")
        return self._layer(Layer(name, "linear", c_in, c_out), source, (c_out,), weights)

    def deconv(
        self, name: str, source: str, shape: Shape, weights: Weights, how: Transposed
    ) -> str:
        """A transposed convolution with weights (c_in, c_out / groups, height, width)."""
        self.image_shape(name, source)
        return self.append(Node(name, "deconv", (source,), shape, None, how, weights))

    def norm(self, name: str, source: str, norm: Norm) -> str:
        """A batch norm of the channels of an image or a vector."""
        made = self._plain(name, "scale", (source,), self.shape(name, source))
        self._norms[made] = norm
        return made

    def activate(self, name: str, source: str, op: Op, detail: Detail | None = None) -> str:
        """ReLU, sigmoid and the like."""
        return self._plain(name, op, (source,), self.shape(name, source), detail)

    def add(self, name: str, sources: Sequence[str]) -> str:
        """The sum of two values, as `join`."""
        return self.join(name, "add", sources, "the sum")

    def mul(self, name: str, sources: Sequence[str]) -> str:
        """The product of two values, as `join`."""
        return self.join(name, "mul", sources, "the product")

    def join(self, name: str, op: Op, sources: Sequence[str], what: str) -> str:
        """Two values of one shape number by number, or an image and a number a channel or a pixel.

        These, (C, 1, 1) or (1, H, W), become the second input.
        """
        ordered = sorted(sources, key=lambda source: -prod(self.shape(name, source)))
        first, *others = (self.node(source).shape for source in ordered)
        numbers = [(first[0], 1, 1), (1, *first[1:])] if len(first) == 3 else []
        if len(others) != 1 or others[0] not in (first, *numbers):
            raise ModelError(
                f"operation '{name}' is not {what} of two values of one shape, or of an image and "
                "a number a channel or a pixel"
            )
        return self._plain(name, op, ordered, first)

    def reduce(self, name: str, source: str, op: Op) -> str:
        """The mean or the maximum of all channels: (1, H, W)."""
        _, height, width = self.image_shape(name, source)
        return self._plain(name, op, (source,), (1, height, width))

    def concat(self, name: str, sources: Sequence[str]) -> str:
        """Channels of values behind one another."""
        shapes = [self.shape(name, source) for source in sources]
        if any(len(shape) == 1 for shape in shapes):
            sources = [self._vector(source) for source in sources]
            shapes = [self.node(source).shape for source in sources]
        if len({shape[1:] for shape in shapes}) != 1:
            raise ModelError(f"operation '{name}' joins values of several sizes")
        if len(shapes) == 1:
            return sources[0]
        channels = sum(shape[0] for shape in shapes)
        return self._plain(name, "concat", sources, (channels, *shapes[0][1:]))

    def slice(self, name: str, source: str, start: int, stop: int) -> str:
        """Channels `start` up to `stop` of a value."""
        channels, *size = self.shape(name, source)
        if (start, stop) == (0, channels):
            return source
        if not 0 <= start < stop <= channels:
            raise ModelError(f"operation '{name}' takes no channels of {source}")
        shape = (stop - start, *size)
        return self._plain(name, "slice", (source,), shape, Channels(start, stop))

    def shuffle(self, name: str, source: str, groups: int) -> str:
        """Channels dealt out in turn to `groups` groups."""
        shape = self.image_shape(name, source)
        if shape[0] % groups:
            raise ModelError(
                f"operation '{name}': {groups} groups do not divide {shape[0]} channels"
            )
        if groups in (1, shape[0]):
            return source
        return self._plain(name, "shuffle", (source,), shape, Groups(groups))

    def max_pool(self, name: str, source: str, shape: Shape, pool: Pool) -> str:
        """Max pooling; where `shape` has a row or column more than fits, the window goes beyond."""
        window = fitted(pool, self.image_shape(name, source), shape)
        return self._plain(name, "max_pool", (source,), shape, window)

    def maximum(self, name: str, source: str) -> str:
        """The maximum of all pixels (C, 1, 1)."""
        channels, height, width = self.image_shape(name, source)
        window = Pool((height, width), (1, 1), (0, 0, 0, 0))
        return self._plain(name, "max_pool", (source,), (channels, 1, 1), window)

    def avg_pool(self, name: str, source: str, shape: Shape, pool: Pool) -> str:
        """Average pooling, by torch's rules for windows that go beyond the image."""
        before = self.image_shape(name, source)
        window = average_window(name, pool, before, shape)
        if window.kernel == before[1:] and not any(window.pads):
            return self.mean(name, source)
        return self._plain(name, "avg_pool", (source,), shape, window)

    def adaptive_pool(self, name: str, source: str, shape: Shape) -> str:
        """Averages of as many windows as `shape` has pixels; they overlap and differ in size."""
        _, height, width = self.image_shape(name, source)
        return self._plain(name, "adaptive_avg_pool", (source,), shape, Cells((height, width)))

    def mean(self, name: str, source: str, axes: Axes = PIXELS) -> str:
        """The mean over all pixels: (C, 1, 1). That over one axis alone waits for the other one."""
        image, done = self._halves.get(source, (source, frozenset()))
        if done | axes != PIXELS:
            self._halves[name] = image, axes
            return name
        channels = self.image_shape(name, image)[0]
        return self._plain(name, "global_avg_pool", (image,), (channels, 1, 1))

    def averaged(self, source: str) -> Axes:
        """The axis over which a value is a mean that waits for the other one, if it does."""
        return self._halves.get(source, ("", frozenset[int]()))[1]

    def resize(self, name: str, source: str, shape: Shape, mode: Interpolation) -> str:
        """More or fewer pixels."""
        before = self.image_shape(name, source)
        if before == shape:
            return source
        # A single pixel is repeated in any mode.
        kind = "nearest" if before[1:] == (1, 1) else mode
        return self._plain(name, "resize", (source,), shape, Resize(kind))

    def _vector(self, source: str) -> str:
        """A value of one pixel as a vector; others as they are."""
        channels, *pixels = self.node(source).shape
        name = f"{source}_vector"
        if pixels != [1, 1]:
            return source
        if name not in self.nodes:
            self._plain(name, "reshape", (source,), (channels,))
        return name

    def reshape(self, name: str, source: str, shape: Shape) -> str:
        """The same numbers in another shape: flattened, or on the way to a shuffle."""
        view = self.view(source)
        node = self.node(view.source)
        if view.groups:
            if shape != node.shape:
                raise ModelError(f"operation '{name}' makes no image of shuffled channels")
            return self.shuffle(name, node.name, view.groups)
        if shape == node.shape or shows_pixel(node.shape, shape):
            return node.name
        if is_flattening(node.shape, shape):
            return self._plain(name, "reshape", (node.name,), shape)
        self._views[name] = View(node.name, shape)
        return name

    def see(self, source: str) -> Seen:
        """A value as numbers of its node."""
        view = self.view(source)
        if view.groups:
            raise ModelError(f"'{source}' reads channels that are half shuffled")
        node = whole(view.source, self.node(view.source).shape)
        return node.moved(lambda places: places.reshape(len(places), *view.shape))

    def permute(self, name: str, source: str, order: Sequence[int]) -> str | Seen:
        """Axes in another order, the batch being among them: a shuffle, or on the way to tokens."""
        view = self.view(source)
        groups = dealt_groups(view, self.node(view.source).shape, tuple(order))
        if not groups:
            return self.see(source).moved(lambda places: places.transpose(order))
        shape = tuple(view.shape[axis - 1] for axis in order[1:])
        self._views[name] = View(view.source, shape, groups)
        return name

    def end(self, name: str, source: str) -> str:
        """A softmax over the classes, plain or logarithmic, that may only be the network's end.

        It is left out: what is compared, and what gets exported, are logits.
        """
        self._ends[name] = source
        return name

    def node(self, source: str) -> Node:
        """A node that others read."""
        if source in self._ends:
            raise ModelError(f"'{source}' is a softmax over classes: only supported at the end")
        if source not in self.nodes:
            raise ModelError(f"'{source}' is neither image nor vector, and is read as one")
        return self.nodes[source]

    def append(self, node: Node) -> str:
        """A node; where its name is taken, as that of a layer used before, it gets a number."""
        name, number = node.name, 2
        while name in self.nodes:
            name, number = f"{node.name}_{number}", number + 1
        layer = node.layer and replace(node.layer, name=name)
        self.nodes[name] = replace(node, name=name, layer=layer)
        return name

    def finish(self, source: str, shape: Shape) -> Network:
        """The network that gives `source`, in the shape that it has for one image."""
        source = self._ends.get(source, source)
        if self.shape("output", source) != shape:
            source = self._plain(f"{source}_flat", "reshape", (source,), shape)
        return fuse(self.nodes, source, self._weights, self._norms)

    def view(self, source: str) -> View:
        """A value in the shape in which it is seen."""
        return self._views.get(source) or View(source, self.node(source).shape)

    def shape(self, name: str, source: str) -> Shape:
        """Shape of a value that `name` reads."""
        if source in self._views:
            shape = written(self._views[source].shape)
            raise ModelError(f"'{name}' reads a value of shape {shape}: neither image nor vector")
        return self.node(source).shape

    def image_shape(self, name: str, source: str) -> Shape:
        """Shape (C, H, W) of an image that `name` reads."""
        shape = self.shape(name, source)
        if len(shape) != 3:
            raise ModelError(f"'{name}' reads a vector of {shape[0]}, not an image")
        return shape

    def _plain(
        self, name: str, op: Op, sources: Sequence[str], shape: Shape, detail: Detail | None = None
    ) -> str:
        return self.append(Node(name, op, tuple(sources), shape, detail=detail))

    def _layer(self, layer: Layer, source: str, shape: Shape, weights: Weights) -> str:
        name = self.append(Node(layer.name, layer.op, (source,), shape, layer))
        self._weights[name] = weights
        return name


def written(shape: Shape) -> str:
    """A shape as people write it."""
    return "x".join(map(str, shape))
