from __future__ import annotations

import pytest

from api.pages.asked import FieldError, to_form, to_spec
from api.pages.forms import Form
from api.schema import SearchSpec

FULL = SearchSpec.model_validate(
    {
        "model": "faces",
        "data": "sample:0-99",
        "calibration": "photos",
        "budgets": ("latency=0.9x", "size=1.5MB"),
        "start": "walk",
        "reward": "metric",
        "metric": "miou",
        "equalize": True,
        "episodes": 7,
        "boards": ("pi5", "pi4"),
    }
)


@pytest.mark.parametrize("spec", [FULL, SearchSpec.model_validate({})])
def test_what_was_asked_fills_the_form_that_asks_it(spec: SearchSpec) -> None:
    assert to_spec(to_form(spec)) == spec


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("budget_size", "much"),
        ("budget_latency", "0.9"),
        ("bits", "8"),
        ("episodes", "0"),
        ("seed", ""),
        ("data_rows", "9-"),
        ("agent", "nobody"),
    ],
)
def test_a_fault_is_told_by_its_field(name: str, typed: str) -> None:
    form = to_form(SearchSpec.model_validate({}))
    with pytest.raises(FieldError) as caught:
        to_spec(Form({**form.values, name: [typed]}))
    assert list(caught.value.problems) == [name]
