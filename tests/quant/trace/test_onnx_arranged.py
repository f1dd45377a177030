from __future__ import annotations

from pathlib import Path

from onnx import helper

from tests.quant.trace.onnx_models import check, model, node, ops_of, read


def test_ranges_of_rows_and_columns_in_steps(tmp_path: Path) -> None:
    ranges = {"from": [1, 0, -7], "to": [3, 99, 8], "axes": [1, 2, -1], "steps": [1, 2, 3]}
    made = model([node("Slice", ["x", *ranges])], constants=ranges)
    check(made)
    assert ops_of(made, tmp_path) == ["slice", "max_pool", "take", "max_pool"]


def test_rows_and_columns_are_split_and_joined(tmp_path: Path) -> None:
    split = helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=3)
    made = model([split, node("Concat", ["b", "a"], axis=-2)], constants={"sizes": [4, 4]})
    check(made)
    assert ops_of(made, tmp_path) == ["take", "take", "concat"]


def test_channels_are_split_taken_joined_and_shuffled(tmp_path: Path) -> None:
    constants = {
        "sizes": [1, 5], "start": [-2], "end": [2**62], "axis": [1],
        "apart": [1, 2, 3, 8, 8], "again": [1, -1, 8, 8],
    }  # fmt: skip
    halves = helper.make_node("Split", ["d", "sizes"], ["a", "b"], "halves", axis=1)
    made = model(
        [
            node("Concat", ["x", "x"], "d", axis=-3),
            halves,
            node("Slice", ["b", "start", "end", "axis"], "c"),
            node("Concat", ["a", "b"], "e", axis=1),
            node("Reshape", ["e", "apart"], "v"),
            node("Transpose", ["v"], "t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", ["t", "again"], "s"),
            node("Concat", ["s", "c"], axis=1),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path).count("shuffle") == 1


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    made = model(
        [
            node("GlobalAveragePool", ["x"], "g"),
            node("Shape", ["g"], "shape"),
            node("Gather", ["shape", "first"], "batch", axis=0),
            node("Concat", ["batch", "rest"], "wanted", axis=0),
            node("Reshape", ["g", "wanted"]),
        ],
        shape=("batch", 3, 8, 8),
        constants={"first": [0], "rest": [-1]},
    )
    check(made)
    assert read(made, tmp_path).graph.nodes[-1].shape == (3,)
