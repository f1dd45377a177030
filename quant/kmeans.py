"""K-means of each layer's weights, one codebook a layer: the size of a network is what it saves.

As in Deep Compression (Han et al. 2016) and in HAQ's search for size. A layer computes in float32
with weights that share 2^bits values; its file holds an index a weight.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quant.errors import PolicyError
from quant.graph import Floats, Layer, Network
from quant.lloyd import Sorted, fit, middles
from quant.policy import FLOAT_BITS, SHARED_BITS, Bits, Policy
from quant.quantized import QuantizedLayer, QuantizedLayers, quantized_product
from quant.shared import Clusters, Indexes, SharedLayer, SharedLayers


class KMeansQuantizer:
    """Shares each layer's weights once for each number of bits; activations stay float32."""

    def __init__(self, network: Network, importance: Mapping[str, Floats] | None = None) -> None:
        """`importance` of every weight, as of `quant.importance`; None counts all alike."""
        self.network, self.importance = network, importance
        self._clusters: dict[tuple[str, int], Clusters] = {}

    def shared(self, policy: Policy) -> SharedLayers:
        """Every layer with weights as it is stored. Raises PolicyError as `layer`."""
        return {name: self._share(name, policy[name]) for name in self.network.weights}

    def layers(self, policy: Policy) -> QuantizedLayers:
        """Every layer of the policy by name; products stay float. Raises PolicyError as `layer`."""
        made = {name: to_quantized(layer) for name, layer in self.shared(policy).items()}
        return made | dict.fromkeys(self.network.graph.products, quantized_product(None, None))

    def layer(self, layer: Layer, bits: Bits) -> QuantizedLayer:
        """One layer with weights of 1 to 8 bits, or of 32 as they are.

        Raises PolicyError for other weights, and for activations that are not float.
        """
        if layer.is_product:
            return quantized_product(None, None)
        return to_quantized(self._share(layer.name, bits))

    def _share(self, name: str, bits: Bits) -> SharedLayer:
        check_shared(name, bits)
        floats = self.network.weights[name]
        if bits.weight == FLOAT_BITS:
            return SharedLayer(floats.weight, floats.bias)
        key = name, bits.weight
        if key not in self._clusters:
            importance = None if self.importance is None else self.importance[name]
            self._clusters[key] = cluster(floats.weight, bits.weight, importance)
        return SharedLayer(self._clusters[key], floats.bias)


def check_shared(name: str, bits: Bits) -> None:
    """Raise PolicyError unless k-means can give a layer these bits."""
    if bits.activation != FLOAT_BITS:
        raise PolicyError(
            f"layer {name} has {bits.activation}-bit activations, but k-means leaves them in "
            f"float: give a policy such as w{min(bits.weight, 8)}a32"
        )
    if bits.weight not in (*SHARED_BITS, FLOAT_BITS):
        raise PolicyError(f"layer {name} has {bits.weight}-bit weights: k-means takes 1 to 8 or 32")


def to_quantized(layer: SharedLayer) -> QuantizedLayer:
    """The float weights that a shared layer computes with."""
    floats = layer.floats
    return QuantizedLayer(floats.weight, None, floats.bias, None)


def cluster(weight: Floats, bits: int, importance: Floats | None = None) -> Clusters:
    """k-means of all weights of a layer to 2^bits ascending centroids.

    `importance` has the weight's shape, is positive and weighs the squared errors. Their sum is
    never greater than with one bit less, nor than with 2^bits levels evenly from the least to the
    greatest weight; the order of the weights does not matter. Where there are fewer distinct
    weights than centroids every weight is exact, and the last one fills the codebook.
    """
    masses = None if importance is None else importance.ravel().astype(np.float64)
    numbers = Sorted(weight.ravel().astype(np.float64), masses)
    centroids = fit(numbers, bits).astype(np.float32)
    return Clusters(nearest(weight, centroids), centroids)


def nearest(weight: Floats, centroids: Floats) -> Indexes:
    """Index of the nearest of ascending centroids for every weight."""
    bounds = middles(centroids.astype(np.float64))
    return np.searchsorted(bounds, weight.astype(np.float64)).astype(np.uint8)
