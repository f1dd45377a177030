from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from quant.calibrate import Ranges, calibrate
from quant.float_net import FloatNet
from quant.graph import Node
from quant.observers import BINS, Histogram, Method
from tests.quant.networks import case

READS_IMAGE = "stem.0"


def inputs_of_layers(kind: str) -> dict[str, Tensor]:
    """What every layer reads over all the images."""
    known = case(kind)
    values: dict[str, Tensor] = {}

    def note(node: Node, value: Tensor) -> Tensor:
        values[node.name] = value.clone()
        return value

    FloatNet(known.network).logits(known.images, note)
    return {n.name: values[n.inputs[0]] for n in known.network.graph.nodes if n.layer}


@pytest.mark.parametrize("kind", ["mobile", "residual"])
def test_histograms_hold_every_value_but_zero(kind: str) -> None:
    histograms = case(kind).ranges.histograms
    inputs = inputs_of_layers(kind)
    assert set(histograms) == set(inputs)
    for name, value in inputs.items():
        assert histograms[name].peak == float(value.abs().max())
        assert histograms[name].counts.sum() == int((value != 0).sum())
        assert histograms[name].signed == bool((value < 0).any())


def test_a_relu_leaves_zeros_that_are_not_counted() -> None:
    value = inputs_of_layers("mobile")["widen.0.0"]
    assert (value == 0).any()
    counts = case("mobile").ranges.histograms["widen.0.0"].counts
    kept = value[value != 0].abs().numpy()
    assert np.abs(np.histogram(kept, BINS, (0.0, float(kept.max())))[0] - counts).sum() <= 4


def test_signs_follow_the_activations() -> None:
    signed = {name: h.signed for name, h in case("mobile").ranges.histograms.items()}
    assert signed == {
        "stem.0": True,
        "widen.0.0": False,
        "depthwise.0.0": False,
        "project.0": False,
        "last.0.0": True,
        "classifier.1": False,
    }


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    known = case("mobile")
    monkeypatch.setattr("quant.float_net.BATCH", 5)
    found = calibrate(known.network, known.images, "absmax").histograms
    for name, histogram in known.ranges.histograms.items():
        assert found[name].peak == pytest.approx(histogram.peak, rel=1e-6)
        assert found[name].counts.sum() == histogram.counts.sum()


@pytest.mark.parametrize("method", get_args(Method))
def test_images_are_never_clipped(method: Method) -> None:
    known = case("mobile")
    ranges = calibrate(known.network, known.images, method)
    assert ranges.image_readers == {READS_IMAGE}
    assert ranges.threshold(READS_IMAGE, 8, signed=True) == 1.0
    assert ranges.method == method


def test_other_layers_are_clipped_by_the_method() -> None:
    """The same histogram for an image and for another layer."""
    counts = np.zeros(BINS)
    counts[:100], counts[-1] = 1e6, 1.0
    histogram = Histogram(counts, 1.0, True)
    ranges = Ranges({"image": histogram, "other": histogram}, "percentile", frozenset({"image"}))
    assert ranges.engine_thresholds()["image"] == 1.0
    assert ranges.engine_thresholds()["other"] < 0.1


def test_an_input_of_zeros_alone_has_a_threshold() -> None:
    known = case("mobile")
    ranges = calibrate(known.network, torch.zeros_like(known.images), "mse")
    assert ranges.histograms[READS_IMAGE].peak == 0.0
    assert ranges.threshold(READS_IMAGE, 8, signed=True) == 1.0
