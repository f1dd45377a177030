from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from haq.data import Images
from haq.evaluators import how_on, make_evaluator, runs_here
from haq.metrics.top import Top
from haq.prepare import quantizer_of
from haq.ways import How
from quant.errors import DataError, InputError, PolicyError
from quant.evaluate import Measured, score_of
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import capabilities
from quant.policy import Bits, Policy, uniform
from quant.quantized import QuantizedLayers
from tests.haq.subjects import cropped, small_net, small_subject

HERE = capabilities()
PHONE = Capabilities("arm", "fp16", frozenset({"Convolution"}))
SUBJECT, IMAGES = small_subject(), cropped("test", 20)
NAMES = SUBJECT.network.graph.layer_names
FLOAT, EIGHT, FOUR = uniform(NAMES, 32, 32), uniform(NAMES, 8, 8), uniform(NAMES, 4, 8)


@pytest.mark.parametrize("how", ["auto", "torch", "ncnn"])
def test_the_float_network_computes_as_torch(how: How) -> None:
    evaluator = make_evaluator(SUBJECT, IMAGES, HERE, "ncnn", how)
    with torch.no_grad():
        pixels = torch.from_numpy(IMAGES.pixels).float() / 127.5 - 1
        expected = small_net()(pixels).numpy()
    np.testing.assert_allclose(evaluator.float_logits, expected, rtol=1e-3, atol=1e-3)
    assert evaluator.float_top1 == (expected.argmax(1) == IMAGES.labels).mean()
    (score,) = evaluator.score([FLOAT])
    assert (score.kl, score.agreement, score.images) == (0, 1, 20)


def test_each_policy_goes_its_own_way_and_scores_keep_their_order() -> None:
    evaluator = make_evaluator(SUBJECT, IMAGES, HERE, "simulated")
    half = FOUR.replace(NAMES[3], Bits(16, 16))
    policies = [FOUR, FLOAT, half, EIGHT]
    assert [evaluator.way(policy) for policy in policies] == [
        *("simulated", "simulated", "torch", "simulated"),
    ]
    together = evaluator.score(policies)
    assert together == [evaluator.score([policy])[0] for policy in policies]
    assert together[1].kl == 0 < together[3].kl < together[0].kl


def test_torch_computes_what_another_board_has() -> None:
    evaluator = make_evaluator(SUBJECT, IMAGES, PHONE, "ncnn")
    half = uniform(NAMES, 16, 16)
    assert (evaluator.way(half), evaluator.way(EIGHT)) == ("torch", "deployed")
    with pytest.raises(PolicyError, match="use --evaluate torch"):
        make_evaluator(SUBJECT, IMAGES, PHONE, "ncnn", "ncnn").score([half])


def test_what_runs_here_is_what_is_deployed_here() -> None:
    half = uniform(NAMES, 16, 16)
    assert runs_here(half, HERE) and runs_here(EIGHT, PHONE) and runs_here(FLOAT, PHONE)
    assert not runs_here(half, PHONE)
    assert not runs_here(FOUR, HERE)


def test_what_is_seen_of_all_images_is_the_score_whoever_computes() -> None:
    evaluator = make_evaluator(SUBJECT, IMAGES, PHONE, "ncnn")
    for policy in (EIGHT, uniform(NAMES, 16, 16)):
        (score,) = evaluator.score([policy])
        seen = evaluator.see(policy, np.arange(20))
        assert score_of(seen) == score
    some, seen = (evaluator.see(EIGHT, rows) for rows in (np.array([4, 1]), np.arange(20)))
    assert np.array_equal(some.kl, seen.kl[[4, 1]])
    assert np.array_equal(some.right, seen.right[[4, 1]])
    assert np.array_equal(some.same, seen.same[[4, 1]])


def test_logits_of_some_rows() -> None:
    rows = np.array([4, 1])
    for how in ("ncnn", "torch"):
        evaluator = make_evaluator(SUBJECT, IMAGES, HERE, "simulated", how)
        some, all_ = evaluator.logits(FOUR, rows), evaluator.logits(FOUR)
        np.testing.assert_allclose(some, all_[rows], atol=1e-4)


def test_a_quantizer_of_ones_own() -> None:
    class FloatQuantizer:
        def layers(self, policy: Policy) -> QuantizedLayers:
            return quantizer_of(SUBJECT, "simulated").layers(FLOAT)

    evaluator = make_evaluator(SUBJECT, IMAGES, HERE, "simulated", quantizer=FloatQuantizer())
    assert evaluator.score([FOUR])[0].kl == 0


def test_images_of_another_shape_are_refused() -> None:
    blank = Images(np.zeros((1, 3, 16, 16), np.uint8), np.array([0]))
    with pytest.raises(DataError, match=r"are 16x16 with 3 channel.*takes 16x16 with 1"):
        make_evaluator(SUBJECT, blank, HERE, "ncnn")
    far = Images(np.zeros((1, 1, 16, 16), np.uint8), np.array([10]))
    with pytest.raises(DataError, match="label 10 in the data, but the network has 10 classes"):
        make_evaluator(SUBJECT, far, HERE, "ncnn")


def test_a_gpu_is_for_torch() -> None:
    assert (how_on("cpu", "auto"), how_on("cuda", "auto"), how_on("cuda", "torch")) == (
        *("auto", "torch", "torch"),
    )
    with pytest.raises(InputError, match="--device cuda is for torch"):
        how_on("cuda", "ncnn")


@pytest.mark.parametrize("how", ["ncnn", "torch"])
def test_a_metric_is_of_all_images_and_they_are_not_split(how: How) -> None:
    evaluator = make_evaluator(SUBJECT, IMAGES, HERE, "simulated", how, metric=Top(5))
    assert evaluator.batch == len(IMAGES)
    (score,) = evaluator.score([FOUR])
    assert score.metric == Measured("top5", Top(5)(evaluator.logits(FOUR), IMAGES.labels))
    assert evaluator.see(FOUR, np.arange(len(IMAGES))).metric == score.metric
    assert evaluator.see(FOUR, np.arange(3)).metric is None
    plain = make_evaluator(SUBJECT, IMAGES, HERE, "simulated", how).score([FOUR])
    assert plain == [replace(score, metric=None)]
