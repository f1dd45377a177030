from __future__ import annotations

import numpy as np
import torch

from haq.prepare import to_tensor
from haq.zoo import NetConfig
from haq.zoo.random_weights import random_network
from quant.evaluate import compare, run_batches
from quant.float_net import FloatNet
from quant.importance import FLOOR, draw_classes, measure_importance, relative
from quant.kmeans import KMeansQuantizer
from quant.policy import uniform
from quant.shared import to_network
from quant.trace import trace
from tests.haq.subjects import cropped, small_subject

NETWORK = small_subject().network
IMAGES = to_tensor(cropped("calibration", 40))
FOUND = measure_importance(NETWORK, IMAGES)


def test_every_weight_has_a_positive_importance_of_mean_1() -> None:
    for name, weights in NETWORK.weights.items():
        assert FOUND[name].shape == weights.weight.shape
        assert FOUND[name].dtype == np.float32
        assert FOUND[name].min() >= np.float32(FLOOR)
        np.testing.assert_allclose(FOUND[name].mean(), 1 + FLOOR, rtol=1e-3)


def test_equal_seeds_give_equal_importance() -> None:
    again, other = measure_importance(NETWORK, IMAGES), measure_importance(NETWORK, IMAGES, 1)
    assert all(np.array_equal(FOUND[name], again[name]) for name in FOUND)
    assert not all(np.array_equal(FOUND[name], other[name]) for name in FOUND)


def test_the_number_of_threads_changes_nothing() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = measure_importance(NETWORK, IMAGES)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert all(np.array_equal(FOUND[name], again[name]) for name in FOUND)


def test_a_layer_without_gradients_counts_all_alike() -> None:
    np.testing.assert_array_equal(relative(torch.zeros(3)), np.full(3, 1 + FLOOR, np.float32))


def test_clusters_by_importance_diverge_less() -> None:
    test = cropped("test", 200)
    x = to_tensor(test)
    wanted = run_batches(FloatNet(NETWORK).logits, x)

    def kl(quantizer: KMeansQuantizer) -> float:
        shared = quantizer.shared(uniform(NETWORK.graph.layer_names, 5, 32))
        found = run_batches(FloatNet(to_network(NETWORK.graph, shared)).logits, x)
        return compare(found, wanted, test.labels).kl

    assert kl(KMeansQuantizer(NETWORK, FOUND)) < kl(KMeansQuantizer(NETWORK))


def test_classes_are_drawn_by_their_chances_for_images_and_for_pixels() -> None:
    chances = torch.tensor([0.7, 0.2, 0.1])
    generator = torch.Generator().manual_seed(0)
    images = draw_classes(chances.log().expand(4000, 3), generator)
    pixels = draw_classes(chances.log().reshape(1, 3, 1, 1).expand(2, 3, 50, 40), generator)
    assert (images.shape, pixels.shape) == ((4000,), (2, 50, 40))
    for drawn in (images, pixels):
        shares = torch.bincount(drawn.flatten(), minlength=3) / drawn.numel()
        torch.testing.assert_close(shares, chances, atol=0.03, rtol=0)


def test_weights_behind_logits_of_every_pixel_have_an_importance() -> None:
    network = trace(random_network(NetConfig("mbv2_seg", 16, 3, 4)), (3, 16, 16))
    found = measure_importance(network, torch.rand(6, 3, 16, 16) * 2 - 1)
    for values in found.values():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values.mean(), 1 + FLOOR, rtol=1e-3)
