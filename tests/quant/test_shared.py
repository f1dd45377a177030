from __future__ import annotations

import numpy as np

from quant.float_net import FloatNet
from quant.kmeans import KMeansQuantizer
from quant.policy import uniform
from quant.shared import Clusters, SharedLayer, to_network
from tests.quant.networks import case


def test_clusters_mean_their_centroids() -> None:
    clusters = Clusters(np.array([[1, 0], [3, 1]], np.uint8), np.array([0, 2, 4, 8], np.float32))
    assert clusters.bits == 2
    np.testing.assert_array_equal(clusters.weight, np.array([[2, 0], [8, 2]], np.float32))


def test_a_layer_has_the_floats_that_it_computes_with() -> None:
    bias = np.ones(2, np.float32)
    floats = np.zeros((2, 3), np.float32)
    assert SharedLayer(floats, bias).floats.weight is floats
    assert SharedLayer(floats, bias).floats.bias is bias


def test_32_bits_are_the_float_network() -> None:
    known = case("mobile")
    names = known.network.graph.layer_names
    shared = KMeansQuantizer(known.network).shared(uniform(names, 32, 32))
    ours = FloatNet(to_network(known.network.graph, shared)).logits(known.images)
    np.testing.assert_array_equal(ours, FloatNet(known.network).logits(known.images))
