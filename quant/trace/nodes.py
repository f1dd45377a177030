"""Nodes of a network that is read, and the values that are none yet: views, halves of a mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quant.details import Detail
from quant.errors import ModelError
from quant.fold import Norm
from quant.graph import Node, Op, Weights
from quant.trace.ends import inputs_refused
from quant.trace.seen import Seen, whole
from quant.trace.views import Shape, View

Axes = frozenset[int]
PIXELS: Axes = frozenset({2, 3})
"""Rows and columns of images, the batch being axis 0."""


class Nodes:
    """What is known of values by the names by which they are read. All methods raise ModelError."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._weights: dict[str, Weights] = {}
        self._norms: dict[str, Norm] = {}
        self._views: dict[str, View] = {}
        self._ends: dict[str, str] = {}
        self._expanded: dict[str, tuple[Shape, str]] = {}
        self._halves: dict[str, tuple[str, Axes]] = {}

    def image(self, name: str, shape: Shape) -> str:
        """The one input (C, H, W)."""
        if self.nodes:
            raise inputs_refused((next(iter(self.nodes)), name))
        return self.append(Node(name, "input", (), shape))

    def see(self, source: str) -> Seen:
        """A value as numbers of its node."""
        view = self.view(source)
        if view.groups:
            raise ModelError(f"'{source}' reads channels that are half shuffled")
        node = whole(view.source, self.node(view.source).shape)
        return node.moved(lambda places: places.reshape(len(places), *view.shape))

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
        if source in self._expanded:
            raise ModelError(f"'{source}' is expanded: only supported where it joins an image")
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


def written(shape: Shape) -> str:
    """A shape as people write it."""
    return "x".join(map(str, shape))
