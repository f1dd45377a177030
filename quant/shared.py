"""Weights that share few values, as plain data: what is stored, and the float network it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.graph import Floats, Graph, Network, Weights

Indexes = NDArray[np.uint8]


@dataclass(frozen=True)
class Clusters:
    """Weights as centroids[indexes].

    `indexes` are uint8 of the layer's `weight_shape`; `centroids` are float32 (2^bits,).
    """

    indexes: Indexes
    centroids: Floats

    @property
    def bits(self) -> int:
        """Bits of an index."""
        return len(self.centroids).bit_length() - 1

    @property
    def weight(self) -> Floats:
        """float32 weights."""
        return self.centroids[self.indexes]


@dataclass(frozen=True)
class SharedLayer:
    """A layer as it is stored: weights shared or float32 as they are, float32 bias (c_out,)."""

    weight: Clusters | Floats
    bias: Floats

    @property
    def floats(self) -> Weights:
        """The weights that it computes with."""
        weight = self.weight.weight if isinstance(self.weight, Clusters) else self.weight
        return Weights(weight, self.bias)


SharedLayers = Mapping[str, SharedLayer]


def to_network(graph: Graph, layers: SharedLayers) -> Network:
    """The float network that shared layers mean."""
    return Network(graph, {name: layer.floats for name, layer in layers.items()})
