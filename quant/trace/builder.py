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
from math import prod

from quant.details import Cells, Channels, Detail, Groups, Interpolation, Pool, Resize, Transposed
from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Layer, Network, Node, Op, Weights
from quant.trace.fuse import fuse
from quant.trace.nodes import PIXELS, Axes, Nodes, written
from quant.trace.seen import Seen
from quant.trace.views import Shape, View, dealt_groups, is_flattening, numbers_of, shows_pixel
from quant.trace.windows import Window, average_window, fitted

ROWS: Axes = frozenset({2})
TURNED = (0, 1, 3, 2)
"""Order of axes of an image that lies on its side."""


class Builder(Nodes):
    """Collects nodes in the order in which they are computed. All methods raise ModelError."""

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

    def div(self, name: str, one: str, other: str) -> str:
        """One value divided by another, as `join`; a vector by a number, too."""
        if other in self._expanded or len(self.node(other).shape) > 1:
            one = self.pixel(f"{name}_pixel", one)
        one, other = (self._unexpanded(source, (one, other)) for source in (one, other))
        if prod(self.shape(name, one)) < prod(self.shape(name, other)):
            return self.mul(name, (one, self.activate(f"{name}_inverse", other, "reciprocal")))
        return self.join(name, "div", (one, other), "the quotient")

    def join(self, name: str, op: Op, sources: Sequence[str], what: str) -> str:
        """Two values of one shape number by number, or an image and a number a channel or a pixel.

        These, (C, 1, 1) or (1, H, W), or a number a row or a column of each channel, (C, H, 1) or
        (C, 1, W), become the second input.
        """
        sources = [self._unexpanded(source, sources) for source in sources]
        ordered = sorted(sources, key=lambda source: -prod(self.shape(name, source)))
        first, *others = (self.node(source).shape for source in ordered)
        if len(others) != 1 or others[0] not in (first, *numbers_of(first)):
            raise ModelError(
                f"operation '{name}' is not {what} of two values of one shape, or of an image and "
                "a number a channel, a pixel, a row or a column"
            )
        return self._plain(name, op, ordered, first)

    def _unexpanded(self, source: str, sources: Sequence[str]) -> str:
        """What was expanded, if an image of its size is among the sources."""
        shape, before = self._expanded.get(source, ((), source))
        images = (self.nodes[other].shape for other in sources if other in self.nodes)
        return before if shape in images else source

    def expand(self, name: str, source: str, shape: Shape) -> str:
        """A number a channel, a pixel, a row or a column, for an image of `shape` to be joined."""
        before = self.image_shape(name, source)
        shape = (*shape, 1, 1) if len(shape) == 1 else shape
        if before == shape:
            return source
        if before not in numbers_of(shape):
            raise ModelError(f"operation '{name}' expands other than a number a channel or a pixel")
        self._expanded[name] = shape, source
        return name

    def pixel(self, name: str, source: str) -> str:
        """A vector as an image of one pixel; images as they are."""
        shape = self.shape(name, source)
        return source if len(shape) > 1 else self._plain(name, "reshape", (source,), (*shape, 1, 1))

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

    def mean(self, name: str, source: str, axes: Axes = PIXELS, kept: bool = True) -> str:
        """The mean over all pixels: (C, 1, 1), also where that over one axis came before.

        That over one axis alone is (C, H, 1) or (C, 1, W), less this axis if it is not `kept`.
        """
        image, done = self._halves.get(source, (source, frozenset()))
        if done | axes != PIXELS:
            made = self._half(name, image, axes, kept)
            self._halves[made] = image, axes
            return made
        channels = self.image_shape(name, image)[0]
        return self._plain(name, "global_avg_pool", (image,), (channels, 1, 1))

    def _half(self, name: str, image: str, axes: Axes, kept: bool) -> str:
        channels, height, width = self.image_shape(name, image)
        shape, kernel = (channels, height, 1), (1, width)
        if axes == ROWS:
            shape, kernel = (channels, 1, width), (height, 1)
        pool = Pool(kernel, (1, 1), (0, 0, 0, 0))
        made = self.avg_pool(name if kept else f"{name}_kept", image, shape, pool)
        if not kept:
            self._views[name] = View(made, (channels, max(shape[1:])))
        return made if kept else name

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

    def permute(self, name: str, source: str, order: Sequence[int]) -> str | Seen:
        """Axes in another order, the batch being among them: a shuffle, or on the way to tokens.

        An image of one row becomes one of one column, and back.
        """
        view = self.view(source)
        shape = self.node(view.source).shape
        if tuple(order) == TURNED and view.shape == shape and 1 in shape[1:]:
            return self._plain(name, "reshape", (view.source,), (shape[0], shape[2], shape[1]))
        groups = dealt_groups(view, shape, tuple(order))
        if not groups:
            return self.see(source).moved(lambda places: places.transpose(order))
        moved = tuple(view.shape[axis - 1] for axis in order[1:])
        self._views[name] = View(view.source, moved, groups)
        return name

    def finish(self, source: str, shape: Shape) -> Network:
        """The network that gives `source`, in the shape that it has for one image."""
        source = self._ends.get(source, source)
        if self.shape("output", source) != shape:
            source = self._plain(f"{source}_flat", "reshape", (source,), shape)
        return fuse(self.nodes, source, self._weights, self._norms)

    def _layer(self, layer: Layer, source: str, shape: Shape, weights: Weights) -> str:
        name = self.append(Node(layer.name, layer.op, (source,), shape, layer))
        self._weights[name] = weights
        return name
