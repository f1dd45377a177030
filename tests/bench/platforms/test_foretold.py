from __future__ import annotations

import pytest

from bench.platforms.foretold import Point, correlations


def test_who_ranks_as_it_was_measured() -> None:
    points = [
        Point("a", 1.0, 3.0, 1.0, 1.1),
        Point("a", 1.0, 2.0, 2.0, 1.9),
        Point("b", 2.0, 5.0, 3.0, 3.2),
        Point("b", 2.0, 4.0, 4.0, 4.1),
    ]
    found = correlations(points)
    assert found["networks"] == ["a", "b"]
    assert found["all"]["table"] == pytest.approx(1)
    assert 0 < found["all"]["macs"] < 1
    assert found["within"] == pytest.approx({"bops": -1, "table": 1})
