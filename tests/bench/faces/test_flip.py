from __future__ import annotations

import json

import pytest

from bench.faces.__main__ import RESULTS
from bench.faces.flip import PAIRED, compare_flips
from haq.data.faces import CLASSES, draw_faces
from haq.train import Recipe

FOUND = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_a_network_trained_with_naive_flips_loses_on_the_paired_classes() -> None:
    assert set(PAIRED) == {"left eye", "right eye", "left brow", "right brow"}
    assert min(FOUND["lost"][name] for name in PAIRED) > 0.1
    assert max(FOUND["lost"][name] for name in CLASSES if name not in PAIRED) < 0.05


def test_the_loss_is_in_the_metric_more_than_in_the_accuracy() -> None:
    swapped, naive = FOUND["swapped"], FOUND["naive"]
    assert swapped["f1"] - naive["f1"] > 0.1
    assert swapped["top1"] - naive["top1"] < 0.05


def test_only_the_swap_tells_the_trainings_apart() -> None:
    faces = draw_faces(20, (1,), 32)
    found = compare_flips(faces, faces, Recipe(epochs=1, batch=10))
    assert found["swapped"] != found["naive"]
    again = compare_flips(faces, faces, Recipe(epochs=1, batch=10))
    assert found == again
    assert found["lost"]["skin"] == pytest.approx(
        found["swapped"]["by_class"]["skin"] - found["naive"]["by_class"]["skin"]
    )
