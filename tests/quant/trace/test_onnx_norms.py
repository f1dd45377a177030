from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.quant.trace.onnx_models import check, model, node, ops_of, random


@pytest.mark.parametrize(("version", "numbers"), [(18, 2), (21, 4)])
def test_norms_of_groups_with_numbers_of_groups_or_channels(
    version: int, numbers: int, tmp_path: Path
) -> None:
    step = node("GroupNormalization", ["x", "g", "b"], num_groups=2)
    constants = {"g": random(numbers), "b": random(numbers)}
    made = model([step], (1, 4, 6, 5), constants)
    made.opset_import[0].version = version
    check(made, (4, 6, 5))
    assert ops_of(made, tmp_path) == ["group_norm"]


def test_a_norm_of_groups_that_is_written_out_is_one(tmp_path: Path) -> None:
    constants = {
        **{"rows": [0, 2, -1], "image": [0, 4, 6, 5], "ones": np.ones(2, np.float32)},
        **{"zeros": np.zeros(2, np.float32), "g": random(4, 1, 1), "b": random(4, 1, 1)},
    }
    steps = [
        node("Reshape", ["x", "rows"], "r"),
        node("InstanceNormalization", ["r", "ones", "zeros"], "n"),
        node("Reshape", ["n", "image"], "i"),
        node("Mul", ["i", "g"], "m"),
        node("Add", ["m", "b"]),
    ]
    made = model(steps, (1, 4, 6, 5), constants)
    check(made, (4, 6, 5))
    assert ops_of(made, tmp_path) == ["group_norm"]
