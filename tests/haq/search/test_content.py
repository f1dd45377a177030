from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from haq.data import Images, Splits
from haq.prepare import Calibrated, Subject
from haq.search.content import digests, make_content
from haq.search.request import SearchRequest
from haq.search.run import load_subject
from quant.graph import Graph, Network
from quant.ncnn.capabilities import Capabilities
from tests.haq.search.runs import small_request

HERE = Capabilities("x86", "bf16", frozenset({"Convolution", "InnerProduct"}))
Given = tuple[SearchRequest, Subject, Splits]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    request = small_request(tmp_path_factory.mktemp("inputs"))
    return request, *load_subject(request)


def digest(given: Given, capabilities: Capabilities = HERE, how: str = "ncnn") -> str:
    return make_content(*given, capabilities).digest(given[2].validation, how=how)


def test_equal_questions_are_one_content(given: Given) -> None:
    request, subject, splits = given
    assert digest(given) == digest((replace(request, seed=7, episodes=3), subject, splits))
    unsaid = replace(request, input_size=None, padding=None)
    assert digest(given) == digest((unsaid, subject, splits))


@pytest.mark.parametrize(
    "change",
    [{"observer": "entropy"}, {"equalize": True}, {"quantizer": "naive"}, {"metric": "f1"}],
)
def test_other_settings_that_decide_a_score_are_another(
    given: Given, change: dict[str, Any]
) -> None:
    assert digest((replace(given[0], **change), *given[1:])) != digest(given)


def test_other_operations_on_the_same_weights_are_another(given: Given) -> None:
    """As in two versions of a user's own network."""
    request, subject, splits = given
    network = subject.network
    *before, last = network.graph.nodes
    assert last.layer is not None
    changed = replace(last, layer=replace(last.layer, activation="relu"))
    other = Calibrated(Network(Graph((*before, changed)), network.weights), subject.ranges)
    loaded = replace(subject, loaded=other, deployed=other)
    assert digest((request, loaded, splits)) != digest(given)


def test_other_images_ways_boards_and_weights_are_another(given: Given) -> None:
    request, subject, splits = given
    padded = replace(subject, config=replace(subject.config, padding="same"))
    contents = {
        digest(given),
        digest((request, padded, splits)),
        digest(given, how="torch"),
        digest(given, replace(HERE, bits16="fp16")),
        digest(given, replace(HERE, types16=frozenset({"Convolution"}))),
        digest((request, subject, replace(splits, validation=splits.test))),
        digest((request, subject, replace(splits, calibration=splits.test))),
        digest((request, changed(subject), splits)),
    }
    assert len(contents) == 8


def changed(subject: Subject) -> Subject:
    """One weight is another."""
    network = subject.network
    first = network.graph.layer_names[0]
    old = network.weights[first]
    weights = {**network.weights, first: replace(old, weight=old.weight + np.float32(1))}
    other = Calibrated(replace(network, weights=weights), subject.ranges)
    return Subject(subject.config, other, other)


def test_labels_and_pixels_count(given: Given) -> None:
    _, subject, splits = given
    before = digests(subject, splits)
    labels = Images(splits.test.pixels, (splits.test.labels + 1) % 10)
    pixels = Images(255 - splits.test.pixels, splits.test.labels)
    for test in (labels, pixels):
        after = digests(subject, replace(splits, test=test))
        assert [name for name in before if before[name] != after[name]] == ["test"]
    assert set(before) == {"weights", "calibration", "validation", "test"}
