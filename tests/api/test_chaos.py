"""A part of `python -m bench.api.chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.chaos import Subject, disturbed, undisturbed
from tests.haq.subjects import cropped, write_images, write_small_weights

AGENTS, EPISODES, KILLS = ("ddpg",), 20, 3


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    weights = write_small_weights(tmp_path / "weights.safetensors")
    return Subject(weights, write_images(tmp_path / "roots" / "images", cropped("test", 20)), 16)


def test_killed_services_bring_searches_to_the_same_end(tmp_path: Path, subject: Subject) -> None:
    wanted = undisturbed(tmp_path / "undisturbed", subject, AGENTS, EPISODES)
    found, seen = disturbed(tmp_path / "disturbed", subject, AGENTS, EPISODES, KILLS, seed=1)
    assert found == wanted
    assert seen["kills"] == KILLS
    assert max(seen["attempts"]) > 1
    assert max(seen["connections"]) > 1
