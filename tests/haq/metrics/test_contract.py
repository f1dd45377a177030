"""What holds for every metric."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.metrics import METRICS, Metric, beside_top1, make_metric
from quant.errors import DataError, InputError
from quant.graph import Graph, Node

NAMES = [*METRICS, "own_metric:share"]


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's function: the share of labels that were found."""
    module = type(sys)("own_metric")

    def share(logits: Any, labels: Any) -> Any:
        known = labels >= 0
        if not known.any():
            raise ValueError("no label")
        return (logits.argmax(1) == labels)[known].mean()

    module.__dict__["share"] = share
    monkeypatch.setitem(sys.modules, "own_metric", module)


@pytest.fixture(params=NAMES)
def metric(request: pytest.FixtureRequest) -> Metric:
    return make_metric(request.param)


def right(labels: Any, classes: int) -> Any:
    """Logits that find every label; what has none is found to be of class 0."""
    hot = np.eye(classes, dtype=np.float32)[np.maximum(labels, 0)]
    return np.ascontiguousarray(np.moveaxis(hot, -1, 1))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, Any, np.random.Generator]:
    """Random logits and labels, of images or of pixels; some have no label, one at least has."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(st.integers(2, 8))
    shape = draw(st.sampled_from([(7,), (3, 4, 5), (1,), (2, 1, 1)]))
    labels = rng.integers(-1, classes, shape)
    labels.flat[0] = rng.integers(classes)
    logits = rng.normal(size=(shape[0], classes, *shape[1:])).astype(np.float32)
    return logits, labels, rng


@pytest.mark.parametrize("name", NAMES)
@given(case=cases())
def test_a_share_that_does_not_depend_on_the_order(
    name: str, case: tuple[Any, Any, np.random.Generator]
) -> None:
    metric, (logits, labels, rng) = make_metric(name), case
    value = metric(logits, labels)
    assert type(value) is float
    assert 0 <= value <= 1
    order = rng.permutation(len(labels))
    assert metric(logits[order], labels[order]) == pytest.approx(value)


@pytest.mark.parametrize("name", NAMES)
@given(case=cases())
def test_finding_everything_is_one(name: str, case: tuple[Any, Any, np.random.Generator]) -> None:
    logits, labels, _ = case
    assert make_metric(name)(right(labels, logits.shape[1]), labels) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
@given(case=cases())
def test_what_has_no_label_does_not_count(
    name: str, case: tuple[Any, Any, np.random.Generator]
) -> None:
    metric, (logits, labels, rng) = make_metric(name), case
    value = metric(logits, labels)
    changed = logits.copy()
    noise = rng.normal(size=logits.shape).astype(np.float32)
    np.copyto(changed, noise, where=np.broadcast_to((labels < 0)[:, None], logits.shape))
    assert metric(changed, labels) == value


@pytest.mark.parametrize("name", NAMES)
@given(case=cases())
def test_what_was_given_stays_as_it_was(
    name: str, case: tuple[Any, Any, np.random.Generator]
) -> None:
    logits, labels, _ = case
    before = logits.copy(), labels.copy()
    make_metric(name)(logits, labels)
    assert np.array_equal(logits, before[0])
    assert np.array_equal(labels, before[1])


def test_pixels_count_like_images(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(60, 6)).astype(np.float32), rng.integers(6, size=60)
    planes = np.moveaxis(logits.reshape(3, 4, 5, 6), -1, 1)
    assert metric(planes, labels.reshape(3, 4, 5)) == pytest.approx(metric(logits, labels))


def test_without_any_label_there_is_no_value(metric: Metric) -> None:
    with pytest.raises(InputError, match=r"no image has a label|no label"):
        metric(np.zeros((3, 4), np.float32), np.full(3, -1))


@pytest.mark.parametrize("name", list(METRICS))
def test_outputs_and_labels_of_other_shapes(name: str) -> None:
    with pytest.raises(DataError, match="does not fit labels"):
        make_metric(name)(np.zeros((3, 4, 2, 2), np.float32), np.zeros((3, 5, 5), np.int64))


def test_it_can_go_to_another_process(metric: Metric) -> None:
    assert pickle.dumps(metric)
    assert make_metric(metric.name) == metric


def test_names(metric: Metric) -> None:
    assert metric.name in NAMES
    assert metric.identity.startswith(metric.name)


@pytest.mark.parametrize("name", ["top2", "", "iou", "a/b:c", "Top1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(
        InputError, match=r"choose top1, top5, miou, f1, or package\.module:function"
    ):
        make_metric(name)


def test_a_function_that_is_not_there_is_noticed_at_once() -> None:
    with pytest.raises(InputError, match="own_nothing:f cannot be imported"):
        make_metric("own_nothing:f")


def ending_in(shape: tuple[int, ...]) -> Graph:
    return Graph((Node("x", "input", (), (3, 8, 8)), Node("y", "relu", ("x",), shape)))


def test_what_is_shown_beside_top1() -> None:
    images, pixels = ending_in((10,)), ending_in((10, 8, 8))
    assert beside_top1(None, images) is None
    assert beside_top1(None, pixels) == METRICS["f1"]
    for graph in (images, pixels):
        assert beside_top1("top1", graph) is None
        assert beside_top1("miou", graph) == METRICS["miou"]
        with pytest.raises(InputError, match="no metric"):
            beside_top1("iou", graph)
