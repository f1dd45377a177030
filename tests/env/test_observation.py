import numpy as np
import pytest

from env.actions import free_choices, tied_choices
from env.observation import layer_features, normalise, observe, observe_episode, raw_features
from quant.graph import Layer
from tests.env.toys import toy_graph

GRAPH = toy_graph(4)
FREE = free_choices(GRAPH.layer_names, ends=None)


def test_raw_features_of_a_depthwise_convolution() -> None:
    layer = Layer("dw", "conv", 32, 32, kernel=(3, 3), stride=(2, 2), groups=32, in_size=(112, 56))
    assert raw_features(layer, 5) == (1, 32, 32, 2, 3, 288, 112 * 56, 5)


def test_raw_features_of_a_linear_layer() -> None:
    assert raw_features(Layer("fc", "linear", 64, 10), 9) == (0, 64, 10, 0, 1, 640, 1, 9)


def test_normalise_maps_each_column_to_0_1() -> None:
    columns = np.array([[1.0, 5.0, 7.0], [3.0, 5.0, 5.0], [2.0, 5.0, 3.0]])
    assert normalise(columns).tolist() == [[0, 0, 1], [1, 0, 0.5], [0.5, 0, 0]]


def test_layer_features_span_0_1() -> None:
    features = layer_features(GRAPH)
    assert features.shape == (4, 8)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features.min(axis=0), np.zeros(8))
    np.testing.assert_array_equal(features.max(axis=0), np.ones(8))


def test_layer_features_of_a_single_layer_are_0() -> None:
    np.testing.assert_array_equal(layer_features(toy_graph(1)), np.zeros((1, 8)))


def test_flag_and_last_bits_at_every_step_of_an_untied_episode() -> None:
    seen = observe_episode(layer_features(GRAPH), FREE, (2, 3, 4, 5, 6, 7, 8, 2))
    assert seen.shape == (9, 10)
    assert seen[:, 9].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 0]
    assert seen[:, 8].tolist() == pytest.approx([1, *(n / 8 for n in (2, 3, 4, 5, 6, 7, 8, 2))])
    np.testing.assert_allclose(seen[:, 7], np.array([0, 0, 1, 1, 2, 2, 3, 3, 3]) / 3)


def test_every_tied_step_is_a_weight_step() -> None:
    choices = tied_choices(GRAPH.layer_names)
    seen = observe_episode(layer_features(GRAPH), choices, (8, 16, 32, 8))
    assert seen[:, 9].tolist() == [1] * 5
    assert seen[:, 8].tolist() == [1, 0.25, 0.5, 1, 0.25]


def test_observe_knows_the_past_by_its_last_bits_only() -> None:
    features = layer_features(GRAPH)
    np.testing.assert_array_equal(
        observe(features, FREE, (2, 3, 4)), observe(features, FREE, (8, 8, 4))
    )
