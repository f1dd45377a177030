from __future__ import annotations

from pathlib import Path

from api.pages.asked import to_form
from api.pages.fields import groups
from api.schema import SearchSpec
from api.service import Service
from haq.names import NETWORKS


def test_every_field_is_explained_and_has_a_name_of_its_own(service: Service) -> None:
    fields = [field for group in groups(service) for field in group.fields]
    assert all(field.help and field.label for field in fields)
    assert len({field.name for field in fields}) == len(fields)
    assert len({field.label for field in fields}) == len(fields)


def test_the_form_asks_for_everything_that_a_search_has(service: Service) -> None:
    names = {field.name for group in groups(service) for field in group.fields}
    assert set(to_form(SearchSpec.model_validate({})).values) <= names
    assert names >= set(SearchSpec.model_fields) - {"budgets"}


def test_choices_are_what_there_is(service: Service, images_root: Path) -> None:
    service.datasets.add("photos", str(images_root), "operator")
    fields = {field.name: field for group in groups(service) for field in group.fields}
    assert fields["data"].choices == tuple((name, name) for name in ("sample", "faces", "photos"))
    assert [value for value, _ in fields["model"].choices] == list(NETWORKS)
    assert fields["calibration"].choices[0][0] == ""
