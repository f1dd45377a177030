from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from quant.errors import DataError
from quant.evaluate import (
    FakeQuantEvaluator,
    Labels,
    Logits,
    Measured,
    Score,
    compare,
    divergences,
    run_batches,
    score_of,
    see,
    shares_right,
)
from quant.fake_quant import FakeQuantNet
from quant.float_net import BATCH, FloatNet
from quant.naive import NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.policy import uniform
from tests.quant.networks import case


def random_logits(seed: int, count: int = 40) -> Logits:
    return np.random.default_rng(seed).normal(0, 2, (count, 5)).astype(np.float32)


def softmax(logits: Logits) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def evaluator() -> FakeQuantEvaluator:
    known = case("mobile")
    float_logits = run_batches(FloatNet(known.network).logits, known.images)
    quantizer = NaiveQuantizer(known.network, known.ranges, "ncnn")
    net = FakeQuantNet(known.network.graph, quantizer, Capabilities())
    labels = np.arange(len(known.images)) % 10
    return FakeQuantEvaluator(net, known.images, labels, float_logits)


def test_scores_by_hand() -> None:
    ours = np.log(np.array([[0.5, 0.5 - 1e-3, 1e-3], [0.1, 0.2, 0.7]], np.float32))
    theirs = np.log(np.array([[0.25, 0.5, 0.25], [0.1, 0.2, 0.7]], np.float32))
    score = compare(ours, theirs, np.array([0, 1]))
    divergence = 0.25 * np.log(0.25 / 0.5) + 0.5 * np.log(0.5 / 0.499) + 0.25 * np.log(0.25 / 1e-3)
    assert score.kl == pytest.approx(divergence / 2, rel=1e-5)
    assert (score.top1, score.agreement, score.images) == (0.5, 0.5, 2)


@given(st.integers(0, 1000), st.integers(1001, 2000))
def test_scores_equal_numpy(one: int, other: int) -> None:
    ours, theirs = random_logits(one), random_logits(other)
    labels = np.random.default_rng(one).integers(0, 5, len(ours))
    p, q = softmax(theirs), softmax(ours)
    score = compare(ours, theirs, labels)
    assert score.kl == pytest.approx(float((p * np.log(p / q)).sum(1).mean()), rel=1e-9)
    assert score.kl > 0
    assert score.agreement == float((ours.argmax(1) == theirs.argmax(1)).mean())
    assert score.top1 == float((ours.argmax(1) == labels).mean())


@given(st.integers(0, 1000))
def test_identical_logits(seed: int) -> None:
    logits = random_logits(seed)
    score = compare(logits, logits, logits.argmax(1))
    assert (score.kl, score.agreement, score.top1) == (0.0, 1.0, 1.0)


@given(st.integers(0, 1000))
def test_a_shift_of_all_logits_changes_nothing(seed: int) -> None:
    logits = random_logits(seed)
    score = compare(logits + np.float32(64.0), logits, logits.argmax(1))
    assert score.kl == pytest.approx(0.0, abs=1e-6)
    assert score.agreement == 1.0


def test_batches_cover_all_images_in_order() -> None:
    sizes: list[int] = []

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return 2 * x.flatten(1)

    images = torch.arange(2.0 * BATCH + 7).reshape(-1, 1, 1, 1)
    logits = run_batches(forward, images)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, 2 * images.flatten(1).numpy())
    assert sizes == [BATCH, BATCH, 7]


def test_the_float_policy_scores_as_the_float_network() -> None:
    found = evaluator()
    (score,) = found.score([uniform(found.net.graph.layer_names, 32, 32)])
    assert score.kl == pytest.approx(0.0, abs=1e-9)
    assert score.agreement == 1.0
    assert score.top1 == found.float_top1


def test_scores_come_in_the_order_of_the_policies() -> None:
    found = evaluator()
    policies = [uniform(found.net.graph.layer_names, bits, 32) for bits in (2, 8, 4)]
    coarse, fine, middle = (score.kl for score in found.score(policies))
    assert fine < middle < coarse
    again = found.score(policies[1:2])[0]
    assert again.kl == fine
    assert again.images == len(case("mobile").images)


@given(st.integers(0, 1000), st.integers(1001, 2000))
def test_a_score_averages_the_divergences_of_its_images(one: int, other: int) -> None:
    ours, theirs = random_logits(one), random_logits(other)
    found = divergences(ours, theirs)
    p, q = softmax(theirs), softmax(ours)
    np.testing.assert_allclose(found, (p * np.log(p / q)).sum(1), rtol=1e-9)
    assert compare(ours, theirs, theirs.argmax(1)).kl == found.mean()


def test_logits_of_some_rows() -> None:
    found = evaluator()
    policy = uniform(found.net.graph.layer_names, 8, 8)
    rows = np.array([7, 0, 3])
    np.testing.assert_allclose(found.logits(policy, rows), found.logits(policy)[rows], atol=1e-5)


def pixels(seed: int, count: int = 3) -> Logits:
    """Logits (N, 5, 4, 6) of every pixel."""
    return np.random.default_rng(seed).normal(0, 2, (count, 5, 4, 6)).astype(np.float32)


def flat(planes: Logits) -> Logits:
    """Each pixel as an image of its own."""
    return np.ascontiguousarray(np.moveaxis(planes, 1, -1).reshape(-1, planes.shape[1]))


@given(st.integers(0, 1000), st.integers(1001, 2000))
def test_an_image_of_pixels_scores_as_the_mean_of_its_pixels(one: int, other: int) -> None:
    ours, theirs = pixels(one), pixels(other)
    labels = np.random.default_rng(one).integers(0, 5, (3, 4, 6))
    dense = see(ours, theirs, labels)
    each = see(flat(ours), flat(theirs), labels.reshape(-1))
    for name in ("kl", "right", "same"):
        means = getattr(each, name).reshape(3, -1).mean(1)
        np.testing.assert_allclose(getattr(dense, name), means, rtol=1e-12)
    assert score_of(dense).images == 3


def test_pixels_without_a_label_do_not_count() -> None:
    logits, labels = pixels(0), pixels(0).argmax(1)
    labels[:, 0] = -1
    assert shares_right(logits, labels).tolist() == [1, 1, 1]
    labels[0] = -1
    assert shares_right(logits, labels).tolist() == [0, 1, 1]
    labels[1, 1] = (labels[1, 1] + 1) % 5
    assert shares_right(logits, labels)[1] == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(3,), (4, 4, 6), (3, 6, 4), (3, 24)])
def test_labels_for_other_outputs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"shape \(3, 5, 4, 6\) does not fit labels of shape"):
        compare(pixels(0), pixels(1), np.zeros(shape, np.int64))


class Spread:
    """A metric: the standard deviation of all logits."""

    name = "spread"

    def __call__(self, logits: Logits, labels: Labels) -> float:
        return float(logits.std())


def test_a_metric_is_named_in_the_score_and_its_json() -> None:
    ours, theirs = random_logits(0), random_logits(1)
    plain, judged = (compare(ours, theirs, theirs.argmax(1), m) for m in (None, Spread()))
    assert judged == replace(plain, metric=Measured("spread", float(ours.std())))
    assert "metric" not in plain.to_json()
    assert judged.to_json()["metric"] == {"name": "spread", "value": float(ours.std())}
    for score in (plain, judged):
        assert Score.from_json(score.to_json()) == score
