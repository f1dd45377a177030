"""Values of a network's nodes on all calibration images, in batches, while they are to be read.

Outputs of layers that widen are by far the largest values of a MobileNet. The float network's are
never held as a whole: they are computed anew from the layer's input whenever they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Generic, TypeVar

import torch
from torch import Tensor

from quant import attention
from quant.fake_quant import LayerTensors, multiply, multiply_rounded, to_integers, to_tensors
from quant.float_net import activate, count_readers
from quant.graph import Layer, Node, Weights
from quant.operations import run_operation
from quant.pool import run_all
from quant.quantized import QuantizedLayer

CPU = torch.device("cpu")
Work = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Anew:
    """A batch that is computed each time it is read."""

    source: Tensor | Anew
    work: Work

    def __len__(self) -> int:
        return len(self.source)


Batch = Tensor | Anew
T = TypeVar("T", bound=Batch)


def read(batch: Batch) -> Tensor:
    """The values of a batch."""
    return batch.work([read(batch.source)]) if isinstance(batch, Anew) else batch


class Values(Generic[T]):
    """Node name -> batches; those of a node are let go one by one as its last reader takes them."""

    def __init__(self, nodes: Sequence[Node], images: Sequence[T]) -> None:
        """Begins with batches of normalised images (N, C, H, W), the first node's values."""
        self._left = count_readers(nodes)
        self._known = {nodes[0].name: list(images)}

    def __getitem__(self, name: str) -> list[T]:
        return self._known[name]

    def put(self, node: Node, batches: list[T]) -> None:
        """Keep the values of a node."""
        self._known[node.name] = batches

    def take(self, node: Node) -> Iterator[tuple[T, ...]]:
        """A node's inputs, batch by batch, for its computation: to be asked for once."""
        pieces = list(zip(*(self._known[name] for name in node.inputs), strict=True))
        for name in node.inputs:
            self._left[name] -= 1
            if self._left[name] == 0:
                del self._known[name]
        while pieces:
            yield pieces.pop(0)


@dataclass(frozen=True)
class Stream:
    """Values by the float network and by the quantized layers so far."""

    floats: Values[Batch]
    quantized: Values[Tensor]

    def run(self, node: Node, weights: Weights | None, made: QuantizedLayer | None) -> None:
        """Compute a node on both ways; a layer by its float weights and as it was made."""
        run_float(self.floats, node, weights)
        run_quantized(self.quantized, node, made)


def run_float(values: Values[Batch], node: Node, weights: Weights | None) -> None:
    """Compute a node, or only note how, where it is larger than what it is computed from."""
    exact = None
    if weights is not None:
        exact = QuantizedLayer(weights.weight, None, weights.bias, None)
    work, inputs = work_of(node, exact), values.take(node)
    if node.layer is not None and not node.layer.is_product and widens(node.layer):
        values.put(node, [Anew(x, work) for (x,) in inputs])
    else:
        values.put(node, [*run_all(lambda batches: work([read(x) for x in batches]), inputs)])


def run_quantized(values: Values[Tensor], node: Node, made: QuantizedLayer | None) -> None:
    """Compute a node; a layer as it was made."""
    values.put(node, run_all(work_of(node, made), values.take(node)))


def widens(layer: Layer) -> bool:
    """Whether a layer gives more values than it takes."""
    return layer.c_out * prod(layer.out_size) > layer.c_in * prod(layer.in_size)


def work_of(node: Node, made: QuantizedLayer | None) -> Work:
    """What computes a node from its inputs, which it leaves as they are."""
    layer = node.layer
    if layer is not None and layer.is_product:
        return lambda inputs: run_product(layer, made, inputs)
    if layer is None or made is None:
        return lambda inputs: run_operation(node, inputs)
    tensors = to_tensors(made, CPU)
    return lambda inputs: run_layer(layer, inputs[0], tensors)


def run_product(layer: Layer, made: QuantizedLayer | None, inputs: Sequence[Tensor]) -> Tensor:
    """A product, of values on their levels where it was made."""
    one, other = inputs
    if made is None:
        return attention.multiply(layer, one, other)
    return multiply_rounded(layer, one, other, made)


def run_layer(layer: Layer, x: Tensor, tensors: LayerTensors) -> Tensor:
    """A layer and its activation."""
    return activate(multiply(layer, to_integers(x, tensors), tensors), layer.activation)
