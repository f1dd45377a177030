from __future__ import annotations

from dataclasses import replace

import pytest

from bench.finetune.measure import measure
from bench.finetune.subject import Given
from bench.finetune.ways import WAYS
from haq.progress import Silent
from tests.haq.subjects import cropped, small_subject

GIVEN = Given(small_subject(), cropped("calibration", 20), cropped("test", 30))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_measured_against_the_same_start(way: str) -> None:
    recipe = replace(WAYS[way], batch=10)
    found = measure(GIVEN, "w4a4", recipe, Silent())
    assert found["before"]["images"] == found["after"]["images"] == 30
    assert found["before"] != found["after"]
    assert found["recipe"]["epochs"] == 1
    again = measure(GIVEN, "w4a4", recipe, Silent())
    assert {**again, "seconds": 0} == {**found, "seconds": 0}
