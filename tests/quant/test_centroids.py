from __future__ import annotations

from functools import cache

import numpy as np
import torch

from haq.prepare import to_tensor
from quant.centroids import CentroidRecipe, TrainedLayer, finetune_centroids
from quant.evaluate import Score, compare, run_batches
from quant.float_net import FloatNet
from quant.importance import measure_importance
from quant.kmeans import KMeansQuantizer
from quant.policy import Bits, uniform
from quant.shared import Clusters, SharedLayer, SharedLayers, to_network
from tests.haq.subjects import cropped, default_subject, small_subject

NETWORK = small_subject().network
NAMES = NETWORK.graph.layer_names
SOME = to_tensor(cropped("calibration", 20))
SHORT = CentroidRecipe(epochs=2)


def shared() -> SharedLayers:
    policy = uniform(NAMES, 3, 32).replace(NAMES[1], Bits(32, 32))
    return KMeansQuantizer(NETWORK).shared(policy)


@cache
def tuned(recipe: CentroidRecipe = SHORT) -> SharedLayers:
    *_, last = finetune_centroids(NETWORK, shared(), SOME, recipe)
    return last.layers


def test_indexes_and_float_weights_stay() -> None:
    start, end = shared(), tuned()
    for name in NAMES:
        before, after = start[name].weight, end[name].weight
        assert not np.array_equal(start[name].bias, end[name].bias)
        if isinstance(before, Clusters):
            assert isinstance(after, Clusters)
            np.testing.assert_array_equal(before.indexes, after.indexes)
            assert not np.array_equal(before.centroids, after.centroids)
        else:
            np.testing.assert_array_equal(before, after)


def test_equal_seeds_give_equal_centroids() -> None:
    *_, again = finetune_centroids(NETWORK, shared(), SOME, SHORT)
    other = tuned(CentroidRecipe(epochs=2, seed=1))
    for name, layer in tuned().items():
        np.testing.assert_array_equal(layer.floats.weight, again.layers[name].floats.weight)
    assert any(not np.array_equal(tuned()[n].bias, other[n].bias) for n in NAMES)


def test_every_epoch_is_told() -> None:
    found = list(finetune_centroids(NETWORK, shared(), SOME, CentroidRecipe(epochs=4)))
    assert [done.epoch for done in found] == [1, 2, 3, 4]
    assert found[-1].kl < found[0].kl


def test_labels_draw_the_answers_to_them() -> None:
    labels = np.full(len(SOME), 3)
    *_, last = finetune_centroids(NETWORK, shared(), SOME, CentroidRecipe(epochs=4), labels)
    *_, without = finetune_centroids(NETWORK, shared(), SOME, CentroidRecipe(epochs=4))

    def share_of_3(layers: SharedLayers) -> float:
        logits = FloatNet(to_network(NETWORK.graph, layers)).logits(SOME)
        return float(logits.softmax(1)[:, 3].mean())

    assert share_of_3(last.layers) > share_of_3(without.layers)


def test_a_centroid_gets_the_gradients_of_its_weights_together() -> None:
    indexes = np.array([[0, 1], [1, 1]], np.uint8)
    layer = TrainedLayer(
        SharedLayer(Clusters(indexes, np.array([-1, 2], np.float32)), np.zeros(2, np.float32))
    )
    weight, _ = layer.tensors()
    gradient = torch.tensor([[1.0, 10.0], [100.0, 1000.0]])
    (weight * gradient).sum().backward()  # type: ignore[no-untyped-call]
    growth = next(p for p in layer.parameters() if p.grad is not None)
    unit = float(np.sqrt((1 + 3 * 4) / 4))
    assert growth.grad is not None
    np.testing.assert_allclose(growth.grad.numpy(), unit * np.array([1.0, 1110.0]), rtol=1e-6)


def test_the_packaged_network_comes_back_on_images_not_trained_on() -> None:
    from haq.data.fashion_mnist import load_sample

    network = default_subject().network
    some = to_tensor(load_sample("calibration").rows(0, 29))
    test = load_sample("test").rows(0, 199)
    x = to_tensor(test)
    wanted = run_batches(FloatNet(network).logits, x)

    def score(layers: SharedLayers) -> Score:
        net = FloatNet(to_network(network.graph, layers))
        return compare(run_batches(net.logits, x), wanted, test.labels)

    quantizer = KMeansQuantizer(network, measure_importance(network, some))
    start = quantizer.shared(uniform(network.graph.layer_names, 3, 32))
    *_, last = finetune_centroids(network, start, some, CentroidRecipe(epochs=3))
    before, after = score(start), score(last.layers)
    assert after.kl < before.kl / 2
