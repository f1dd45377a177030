from dataclasses import asdict

import pytest

from api.schema import SearchChanges, SearchSpec
from haq.client import spec


def test_it_is_the_services_field_by_field() -> None:
    assert asdict(spec.SearchSpec()) == SearchSpec.model_validate({}).model_dump()


def test_changes_have_the_same_names() -> None:
    names = set(spec.SearchFields.__annotations__)
    assert names == set(SearchChanges.model_fields) == set(SearchSpec.model_fields)


@pytest.mark.parametrize("model", ["mbv2", "mbv2_seg", "lite0", "uploaded"])
def test_images_are_usual_as_the_service_has_them(model: str) -> None:
    wanted = SearchSpec.model_validate({"model": model}).model_dump()
    assert asdict(spec.usual_spec(model)) == wanted
