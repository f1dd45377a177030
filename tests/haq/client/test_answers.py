from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from api import schema
from haq.client import answers

PAIRS = (
    (answers.Search, schema.Search),
    (answers.Progress, schema.Progress),
    (answers.Entered, schema.Event),
    (answers.SearchPage, schema.SearchPage),
    (answers.Trial, schema.Trial),
    (answers.TrialPage, schema.TrialPage),
    (answers.Point, schema.Point),
    (answers.Pareto, schema.Pareto),
    (answers.Artifact, schema.Artifact),
    (answers.Model, schema.Model),
    (answers.Dataset, schema.Dataset),
    (answers.Board, schema.Board),
    (answers.Noise, schema.Noise),
    (answers.Key, schema.KeyInfo),
    (answers.MadeKey, schema.MadeKey),
    (answers.AuditLine, schema.AuditLine),
)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_field_of_the_service_is_known(ours: Any, theirs: type[BaseModel]) -> None:
    assert {field.name for field in fields(ours)} == set(theirs.model_fields)


def test_more_than_is_known_does_no_harm() -> None:
    found = TypeAdapter(answers.Artifact).validate_python(
        {"name": "a", "size_bytes": 1, "sha256": "0", "colour": "red"}
    )
    assert found == answers.Artifact("a", 1, "0")


def test_less_than_is_needed_does() -> None:
    assert any(field.default is MISSING for field in fields(answers.Artifact))
    with pytest.raises(ValidationError):
        answers.read_artifacts({"artifacts": [{"name": "a"}]})


def test_a_secret_is_not_shown() -> None:
    key = answers.MadeKey("anna", "run", None, None, 0.0, "haq_secret")
    assert "haq_secret" not in repr(key)
