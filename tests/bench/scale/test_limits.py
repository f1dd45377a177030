from __future__ import annotations

import pytest

from bench.scale.limits import Parts

PARTS = Parts(
    image_s=0.01, episode_images=300, driver_s=0.1, task_s=0.002, piece=50, first_images=150
)


def test_the_limits_are_where_the_parts_are_equal() -> None:
    assert PARTS.evaluation_s == pytest.approx(3.0)
    assert PARTS.driver_limit == pytest.approx(30)
    assert PARTS.task_limit == pytest.approx(250)
    assert PARTS.busy_limit(8) == 24


def test_more_workers_than_pieces_are_idle() -> None:
    assert PARTS.seconds(1, 8) == pytest.approx(3.1)
    assert PARTS.seconds(10, 8) == pytest.approx(0.4)
    assert PARTS.seconds(24, 8) == PARTS.seconds(1000, 8)
    assert PARTS.seconds(1000, 512) == pytest.approx(3 / 250 + 0.1)


def test_all_of_it_is_json() -> None:
    found = PARTS.to_json((8, 64), (1, 10))
    assert found["episode_s"][8][10] == PARTS.seconds(10, 8)
    assert found["busy_limit"] == {8: 24, 64: 192}
