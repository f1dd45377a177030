from __future__ import annotations

from bench.scale.driver import IMAGES, time_episodes


def test_episodes_are_counted_and_timed() -> None:
    found = time_episodes("random", 4, 12)
    assert 0.15 * IMAGES <= found["images"] <= IMAGES
    assert found["tasks"] >= 1
    assert found["searcher_s"] > 0
    assert found["race_and_store_s"] > 0
