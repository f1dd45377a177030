"""Values of a network's nodes on all calibration images, in batches, as the walk needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quant.fake_quant import LayerTensors, multiply, to_integers, to_tensors
from quant.float_net import activate, run_node
from quant.graph import Layer, Node, Weights
from quant.pool import run_all
from quant.quantized import QuantizedLayer

Batches = list[Tensor]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Stream:
    """Node name -> values, computed by the float and by the quantized layers so far."""

    floats: dict[str, Batches]
    quantized: dict[str, Batches]

    def put(self, node: Node, floats: Batches, quantized: Batches) -> None:
        """Keep the values of a node."""
        self.floats[node.name], self.quantized[node.name] = floats, quantized

    def forget(self, name: str) -> None:
        """Drop the values of a node that nobody reads any more."""
        del self.floats[name], self.quantized[name]

    def run_plain(self, node: Node) -> None:
        """Compute a node without weights."""
        found = [run_without_weights(node, [v[n] for n in node.inputs]) for v in self._both]
        self.put(node, *found)

    def run_layer(self, node: Node, weights: Weights, made: QuantizedLayer) -> None:
        """Compute a layer and its activation."""
        assert node.layer is not None
        source = node.inputs[0]
        exact = to_tensors(QuantizedLayer(weights.weight, None, weights.bias, None), CPU)
        parts = zip(self._both, (exact, to_tensors(made, CPU)), strict=True)
        self.put(node, *(run_layer(node.layer, values[source], t) for values, t in parts))

    @property
    def _both(self) -> Sequence[dict[str, Batches]]:
        return self.floats, self.quantized


def run_without_weights(node: Node, inputs: Sequence[Batches]) -> Batches:
    """An add, a pool or an activation of every batch; inputs are left as they are."""

    def work(values: tuple[Tensor, ...]) -> Tensor:
        return run_node(node, [v.clone() for v in values], refuse)

    return run_all(work, list(zip(*inputs, strict=True)))


def run_layer(layer: Layer, batches: Batches, tensors: LayerTensors) -> Batches:
    """A layer and its activation on every batch."""

    def work(x: Tensor) -> Tensor:
        return activate(multiply(layer, to_integers(x, tensors), tensors), layer.activation)

    return run_all(work, batches)


def refuse(layer: Layer, x: Tensor) -> Tensor:
    """Stands where no layer can be."""
    raise AssertionError(f"{layer.name} has weights")
