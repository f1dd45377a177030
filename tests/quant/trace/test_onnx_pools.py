from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.quant.trace.onnx_models import FEW, PADS, PAIRS, check, model, node, ops_of, random


@FEW
@given(
    st.sampled_from(["MaxPool", "AveragePool"]), PAIRS, PAIRS, PADS, st.booleans(), st.booleans()
)
def test_pools(
    op: str, kernel: list[int], strides: list[int], pads: list[int], ceil: bool, counts: bool
) -> None:
    pads = [min(pad, k - 1) for pad, k in zip(pads, kernel * 2, strict=True)]
    assume(not (ceil and counts and op == "AveragePool"))
    how: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": pads,
        "ceil_mode": int(ceil),
    }
    how |= {"count_include_pad": int(counts)} if op == "AveragePool" else {}
    check(model([node(op, ["x"], **how)], (1, 3, 9, 10)), (3, 9, 10))


@FEW
@given(
    st.sampled_from(
        [
            ("nearest", "asymmetric", "floor"),
            ("nearest", "half_pixel", None),
            ("linear", "half_pixel", None),
            ("linear", "pytorch_half_pixel", None),
            ("linear", "align_corners", None),
        ]
    ),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_resizing(how: tuple[str, str, str | None], vertical: int, horizontal: int) -> None:
    mode, coordinates, rounding = how
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    attributes |= {"nearest_mode": rounding} if rounding else {}
    scales = {"scales": np.array([1, 1, vertical, horizontal], np.float32)}
    resize = node("Resize", ["x", "", "scales"], "h", **attributes)
    made = model([resize, node("Sigmoid", ["h"])], (1, 3, 4, 5), scales)
    check(made, (3, 4, 5))


def test_padding_before_a_pool(tmp_path: Path) -> None:
    steps = [node("Pad", ["x", "p"], "h"), node("MaxPool", ["h"], kernel_shape=[2, 2])]
    made = model(steps, constants={"p": [0, 0, 1, 1, 0, 0, 1, 1]})
    check(made)
    assert ops_of(made, tmp_path) == ["pad", "max_pool"]


def test_a_mean_over_one_axis_after_the_other(tmp_path: Path) -> None:
    constants = {"columns": [3], "rows": [-1], "fc.weight": random(3, 5)}
    steps = [
        node("ReduceMean", ["x", "columns"], "c", keepdims=0),
        node("ReduceMean", ["c", "rows"], "r", keepdims=0),
        node("MatMul", ["r", "fc.weight"]),
    ]
    made = model(steps, constants=constants)
    check(made)
    assert ops_of(made, tmp_path) == ["global_avg_pool", "linear"]


@pytest.mark.parametrize("op", ["Conv", "AveragePool"])
def test_zeros_padded_before_a_window(op: str, tmp_path: Path) -> None:
    constants = {"pads": [0, 0, 0, 1, 0, 0, 1, 2], "c.weight": random(4, 3, 3, 3)}
    pad = node("Pad", ["x", "pads"], "p")
    then = (
        node("Conv", ["p", "c.weight"], pads=[1, 0, 0, 0])
        if op == "Conv"
        else node("AveragePool", ["p"], kernel_shape=[3, 3], strides=[2, 2])
    )
    made = model([pad, then], constants=constants)
    check(made)
    assert len(ops_of(made, tmp_path)) == 1
