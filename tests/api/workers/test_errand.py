from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.asking import resolve, to_stored
from api.schema import SearchSpec
from api.service import Service
from api.workers.errand import Errand, asked_from
from haq.search.asked import Asked

ASKED = Asked(weights=Path("/data/ä.safetensors"), budget=("size=0.5x",), start="ilp", seed=3)


@pytest.mark.parametrize("asked", [Asked(), ASKED])
@pytest.mark.parametrize("boards", [(), ("pi5", "pi4")])
def test_an_errand_comes_back(asked: Asked, boards: tuple[str, ...]) -> None:
    errand = Errand("1" * 32, asked, boards)
    line = errand.to_line()
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert Errand.from_line(line) == errand


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"budgets": ["size=0.5x", "bops=0.5x"], "bits": "2-8", "agent": "greedy", "seed": 7},
        {"reward": "top1", "start": "cold", "quantizer": "naive", "seed": 1, "equalize": True},
    ],
)
def test_what_was_asked_comes_back_from_the_store(service: Service, given: dict[str, Any]) -> None:
    spec = SearchSpec.model_validate(given)
    asked = resolve(service, spec)
    stored = json.loads(json.dumps(to_stored(spec, asked)))
    assert asked_from(stored["asked"]) == asked
    assert SearchSpec.model_validate(stored["spec"]) == spec
