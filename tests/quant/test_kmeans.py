from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quant.errors import PolicyError
from quant.graph import Floats
from quant.kmeans import KMeansQuantizer, cluster
from quant.policy import SHARED_BITS, Bits, uniform
from quant.quantized import LayerQuantizer, Quantizer
from tests.quant.networks import case

weights = hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-2, 2, width=32))


@given(weights, st.sampled_from(SHARED_BITS))
def test_every_weight_has_its_nearest_centroid(weight: Floats, bits: int) -> None:
    found = cluster(weight, bits)
    assert found.indexes.shape == weight.shape and found.indexes.dtype == np.uint8
    assert found.centroids.shape == (2**bits,) and found.centroids.dtype == np.float32
    assert found.bits == bits
    distances = np.abs(weight[..., None].astype(np.float64) - found.centroids)
    chosen = np.abs(weight.astype(np.float64) - found.weight)
    np.testing.assert_array_equal(chosen, distances.min(-1))


@given(weights)
def test_enough_centroids_keep_the_weights(weight: Floats) -> None:
    np.testing.assert_array_equal(cluster(weight, 5).weight, weight)


def test_a_permutation_permutes_the_indexes() -> None:
    weight = np.random.default_rng(0).normal(size=500).astype(np.float32)
    order = np.random.default_rng(1).permutation(500)
    one, other = cluster(weight, 3), cluster(weight[order], 3)
    np.testing.assert_array_equal(one.centroids, other.centroids)
    np.testing.assert_array_equal(one.indexes[order], other.indexes)


def test_fewer_errors_than_rounding_to_integers_of_equal_bits() -> None:
    weight = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    for bits in (2, 3, 4, 6):
        high = 2 ** (bits - 1) - 1
        scales = [high / (clip * np.abs(weight).max()) for clip in np.linspace(0.3, 1, 40)]
        uniform_errors = [
            np.square(np.clip(np.round(weight * s), -high, high) / s - weight).sum() for s in scales
        ]
        assert np.square(cluster(weight, bits).weight - weight).sum() < min(uniform_errors)


def test_it_is_a_quantizer_of_networks_and_of_layers() -> None:
    network = case("mobile").network
    whole: Quantizer = KMeansQuantizer(network)
    single: LayerQuantizer = KMeansQuantizer(network)
    layer = network.graph.layers[1]
    made = whole.layers(uniform(network.graph.layer_names, 1, 32))[layer.name]
    np.testing.assert_array_equal(made.weight, single.layer(layer, Bits(1, 32)).weight)


def test_layers_compute_with_their_clusters_in_float() -> None:
    network = case("mobile").network
    quantizer = KMeansQuantizer(network)
    policy = uniform(network.graph.layer_names, 3, 32).replace("stem.0", Bits(32, 32))
    layers = quantizer.layers(policy)
    for name, layer in layers.items():
        assert layer.weight_scale is None and layer.input is None
        np.testing.assert_array_equal(layer.bias, network.weights[name].bias)
        expected = 8 if name != "stem.0" else network.weights[name].weight.size
        assert len(np.unique(layer.weight)) <= expected
    np.testing.assert_array_equal(layers["stem.0"].weight, network.weights["stem.0"].weight)


def test_a_layer_is_shared_once_for_its_bits() -> None:
    network = case("mobile").network
    quantizer = KMeansQuantizer(network)
    policy = uniform(network.graph.layer_names, 2, 32)
    first, again = quantizer.shared(policy), quantizer.shared(policy)
    assert all(first[name].weight is again[name].weight for name in first)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (Bits(4, 8), "8-bit activations, but k-means leaves them in float: give .* w4a32"),
        (Bits(16, 32), "16-bit weights: k-means takes 1 to 8 or 32"),
    ],
)
def test_other_bits_are_refused(bits: Bits, message: str) -> None:
    network = case("mobile").network
    with pytest.raises(PolicyError, match=message) as raised:
        KMeansQuantizer(network).layer(network.graph.layers[0], bits)
    assert "\n" not in str(raised.value)
