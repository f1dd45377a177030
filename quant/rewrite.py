"""Channels of a network scaled and shifted, with weights and biases that make up for it.

Between a producer and its readers a value x may be kept as scale * x - offset: the network computes
what it did (cross-layer equalization, Nagel et al. 2019, section 4.1, and its absorbed biases).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.graph import Layer, Network, Weights

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """Channels of a node's value x become scale * x - offset; float64 (C,).

    Behind a ReLU there is no offset, and no scale lets a channel of a ReLU6 reach the clip. The
    inputs of an add have its scale, and their offsets sum up to its own. Readers of what has an
    offset pad nothing on.
    """

    scale: Doubles
    offset: Doubles


def rewrite(network: Network, changes: Mapping[str, Change]) -> Network:
    """The network with the values of some nodes changed, computed in float64."""
    weights = {
        node.name: rewrite_layer(
            node.layer,
            network.weights[node.name],
            changes.get(node.inputs[0]),
            changes.get(node.name),
        )
        for node in network.graph.nodes
        if node.layer is not None and not node.layer.is_product
    }
    return Network(network.graph, weights)


def rewrite_layer(
    layer: Layer, weights: Weights, taken: Change | None, given: Change | None
) -> Weights:
    """Weights of a layer whose input and output are changed."""
    weight, bias = weights.weight.astype(np.float64), weights.bias.astype(np.float64)
    grouped = weight.reshape(
        layer.groups, layer.c_out // layer.groups, layer.c_in // layer.groups, -1
    )
    if taken is not None:
        grouped = grouped / taken.scale.reshape(layer.groups, 1, -1, 1)
        shifted = grouped * taken.offset.reshape(layer.groups, 1, -1, 1)
        bias = bias + shifted.sum((2, 3)).ravel()
    if given is not None:
        grouped = grouped * given.scale.reshape(layer.groups, -1, 1, 1)
        bias = bias * given.scale - given.offset
    made = grouped.reshape(weight.shape).astype(np.float32)
    return Weights(made, bias.astype(np.float32))
