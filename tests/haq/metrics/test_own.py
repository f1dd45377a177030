from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from haq.metrics.own import Own
from quant.errors import InputError

LOGITS, LABELS = np.eye(3, dtype=np.float32), np.arange(3)


def value_of(monkeypatch: pytest.MonkeyPatch, function: Callable[[Any, Any], Any]) -> float:
    module = type(sys)("own_measure")
    module.__dict__["f"] = function
    monkeypatch.setitem(sys.modules, "own_measure", module)
    return Own("own_measure:f")(LOGITS, LABELS)


@pytest.mark.parametrize("found", [3, -2.5, np.float32(0.5), np.array(4), torch.tensor(1.5)])
def test_whatever_is_a_number(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    value = value_of(monkeypatch, lambda logits, labels: found)
    assert type(value) is float
    assert value == float(found)


@pytest.mark.parametrize(
    ("found", "match"),
    [
        (None, "returned a NoneType: a number is needed"),
        ("high", "returned a str"),
        (np.zeros(3), "returned a ndarray"),
        (torch.zeros(3), "returned a Tensor"),
        (float("nan"), "returned nan: a finite number is needed"),
        (np.inf, "returned inf"),
    ],
)
def test_what_is_no_finite_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: Any, match: str
) -> None:
    with pytest.raises(InputError, match=f"own_measure:f {match}"):
        value_of(monkeypatch, lambda logits, labels: found)


def test_it_is_given_logits_and_labels_and_may_change_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoil(logits: Any, labels: Any) -> float:
        assert logits.shape == (3, 3)
        assert labels.tolist() == [0, 1, 2]
        logits += 1
        labels += 1
        return 0

    value_of(monkeypatch, spoil)
    assert np.array_equal(LOGITS, np.eye(3))
    assert LABELS.tolist() == [0, 1, 2]


def test_its_error_is_one_line_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = r"own_measure:f failed: ZeroDivisionError: division by zero \(test_own\.py:\d+\)"
    with pytest.raises(InputError, match=expected):
        value_of(monkeypatch, lambda logits, labels: 1 / 0)


def test_another_file_is_another_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = []
    for number in range(2):
        (tmp_path / "own_edited.py").write_text(f"def f(logits, labels):\n    return {number}\n")
        found.append(Own("own_edited:f").identity)
        sys.modules.pop("own_edited")
    assert found[0] != found[1]
    assert all(one.startswith("own_edited:f ") for one in found)
