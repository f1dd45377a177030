from pathlib import Path

import pytest

from device_agent.memory.cache import Cache
from device_agent.memory.recall import recall_all


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache(tmp_path)
    found.prepare()
    return found


def questions(*numbers: int) -> list[dict[str, int]]:
    return [{"q": number} for number in numbers]


def test_only_what_is_missing_is_measured_in_one_go(cache: Cache) -> None:
    asked: list[list[int]] = []

    def measure(missing: list[int]) -> list[dict[str, object]]:
        asked.append(missing)
        return [{"value": 10 * index} for index in missing]

    first = recall_all(cache, questions(1, 2), False, measure)
    assert [(a["value"], a["cached"]) for a in first] == [(0, False), (10, False)]
    second = recall_all(cache, questions(2, 3, 1), False, measure)
    assert [(a["value"], a["cached"]) for a in second] == [(10, True), (10, False), (0, True)]
    assert recall_all(cache, questions(3, 3), False, measure)[0]["cached"]
    assert asked == [[0, 1], [1]]
    assert second[0]["measured_at"] == first[1]["measured_at"]


def test_fresh_measures_again_and_replaces(cache: Cache) -> None:
    recall_all(cache, questions(1), False, lambda _: [{"value": 1}])
    (fresh,) = recall_all(cache, questions(1), True, lambda _: [{"value": 2}])
    assert (fresh["value"], fresh["cached"]) == (2, False)
    (known,) = recall_all(cache, questions(1), False, lambda _: [])
    assert (known["value"], known["cached"]) == (2, True)


def test_a_failed_measurement_leaves_nothing_behind(cache: Cache) -> None:
    def fail(missing: list[int]) -> list[dict[str, object]]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        recall_all(cache, questions(1), False, fail)
    assert list(cache.folder.iterdir()) == []
