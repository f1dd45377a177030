from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from haq.data import Images
from haq.evaluators import make_evaluator
from haq.prepare import arithmetic_of, make_subject, quantizer_of, to_tensor, weights_of
from haq.ways import How
from quant.errors import DataError
from quant.ncnn.capabilities import Capabilities
from quant.policy import Bits, uniform
from tests.haq.subjects import SMALL, cropped, small_net, small_subject

PLAIN = Capabilities()


def blank(channels: int, side: int, label: int = 0) -> Images:
    return Images(np.zeros((1, channels, side, side), np.uint8), np.array([label]))


def test_the_traced_network_computes_as_torch() -> None:
    images = cropped("test", 20)
    evaluator = make_evaluator(small_subject(), images, PLAIN, "ncnn")
    with torch.no_grad():
        expected = small_net()(to_tensor(images)).numpy()
    np.testing.assert_allclose(evaluator.float_logits, expected, rtol=1e-3, atol=1e-3)
    assert evaluator.float_top1 == (expected.argmax(1) == images.labels).mean()


def test_float_bits_leave_the_float_network() -> None:
    evaluator = make_evaluator(small_subject(), cropped("test", 20), PLAIN, "ncnn")
    (score,) = evaluator.score([uniform(small_subject().network.graph.layer_names, 32, 32)])
    assert (score.kl, score.agreement, score.images) == (0, 1, 20)
    assert score.top1 == evaluator.float_top1


@pytest.mark.parametrize(
    ("channels", "side", "match"),
    [
        (3, 16, "are 16x16 with 3 channel.*takes 16x16 with 1"),
        (1, 32, "are 32x32 with 1 channel.*takes 16x16 with 1"),
    ],
)
def test_images_of_another_shape_are_refused(channels: int, side: int, match: str) -> None:
    subject, images = small_subject(), blank(channels, side)
    with pytest.raises(DataError, match=match):
        make_evaluator(subject, images, PLAIN, "ncnn")
    with pytest.raises(DataError, match=match):
        make_subject(SMALL, subject.network, images, "absmax")


def test_labels_beyond_the_classes_are_refused() -> None:
    assert make_evaluator(small_subject(), blank(1, 16, label=9), PLAIN, "ncnn")
    with pytest.raises(DataError, match="label 10 in the data, but the network has 10 classes"):
        make_evaluator(small_subject(), blank(1, 16, label=10), PLAIN, "ncnn")


def test_calibration_needs_no_labels_of_the_network() -> None:
    network = small_subject().network
    assert make_subject(SMALL, network, blank(1, 16, label=999), "absmax").ranges.histograms


def test_the_arithmetic_is_ncnns_where_ncnn_can_run() -> None:
    names = ("a", "b")
    assert arithmetic_of(uniform(names, 8, 8).replace("b", Bits(16, 16))) == "ncnn"
    assert arithmetic_of(uniform(names, 8, 8).replace("b", Bits(8, 16))) == "simulated"
    assert arithmetic_of(uniform(names, 4, 8)) == "simulated"


def test_ncnn_alone_gets_the_equalized_network() -> None:
    network = small_subject().network
    subject = make_subject(SMALL, network, cropped("calibration", 20), "auto", equalized=True)
    assert subject.of("simulated") is subject.loaded
    assert subject.network is network
    assert subject.of("ncnn").network is not network
    assert quantizer_of(subject, "ncnn").network is subject.deployed.network


@pytest.mark.parametrize("how", ["ncnn", "torch"])
def test_divergences_are_from_the_network_as_loaded(how: How) -> None:
    network, images = small_subject().network, cropped("calibration", 20)
    subject = make_subject(SMALL, network, images, "auto", equalized=True)
    evaluator = make_evaluator(subject, images, PLAIN, "ncnn", how)
    plain = make_evaluator(small_subject(), images, PLAIN, "ncnn", how)
    np.testing.assert_array_equal(evaluator.float_logits, plain.float_logits)
    names = network.graph.layer_names
    floats, eights = evaluator.score([uniform(names, 32, 32), uniform(names, 8, 8)])
    assert floats.kl < 1e-6 < eights.kl
    assert floats.agreement == 1


@pytest.mark.parametrize(
    ("model", "weights", "wanted"),
    [
        ("mbv2", None, "packaged"),
        ("resnet18", None, "random"),
        ("net.onnx", None, "own"),
        ("package.nets:make", None, "own"),
        ("mbv2", Path("mine.safetensors"), "mine.safetensors"),
        ("resnet18", Path("torchvision"), "torchvision"),
    ],
)
def test_it_is_said_whose_weights_a_network_has(
    model: str, weights: Path | None, wanted: str
) -> None:
    assert weights_of(model, weights) == wanted
