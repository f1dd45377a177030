from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.quant.trace.onnx_models import FEW, PADS, PAIRS, check, model, node, ops_of, random, read


@FEW
@given(PAIRS, PAIRS, PADS, PAIRS, st.sampled_from([1, 2, 4]), st.booleans())
def test_convolutions(
    kernel: list[int],
    strides: list[int],
    pads: list[int],
    dilations: list[int],
    group: int,
    b: bool,
) -> None:
    weights = {"c.weight": random(8, 4 // group, *kernel), "c.bias": random(8)}
    inputs = ["x", *(weights if b else list(weights)[:1])]
    how: dict[str, Any] = {"strides": strides, "pads": pads, "dilations": dilations, "group": group}
    check(model([node("Conv", inputs, **how)], (1, 4, 9, 8), weights), (4, 9, 8))


@FEW
@given(PAIRS, PAIRS, st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
def test_convolutions_that_pad_by_a_rule(kernel: list[int], strides: list[int], rule: str) -> None:
    weights = {"c.weight": random(5, 3, *kernel)}
    how: dict[str, Any] = {"strides": strides, "auto_pad": rule}
    check(model([node("Conv", ["x", *weights], **how)], constants=weights))


@FEW
@given(PAIRS, PAIRS, PADS, st.booleans(), st.sampled_from([1, 2]))
def test_transposed_convolutions(
    kernel: list[int], strides: list[int], pads: list[int], more: bool, group: int
) -> None:
    pads = [min(pad, (k - 1) // 2) for pad, k in zip(pads, kernel * 2, strict=True)]
    output_padding = [int(more and stride > 1) for stride in strides]
    weights = {"c.weight": random(4, 3, *kernel), "c.bias": random(3 * group)}
    how: dict[str, Any] = {
        "strides": strides,
        "pads": pads,
        "group": group,
        "output_padding": output_padding,
    }
    made = model([node("ConvTranspose", ["x", *weights], **how)], (1, 4, 5, 6), weights)
    check(made, (4, 5, 6))


def test_a_convolution_over_the_means_of_channels(tmp_path: Path) -> None:
    """As ECA has it, by axes that are swapped, and by shapes alone."""
    last, weights = {"last": [-1]}, {"c.weight": random(1, 1, 3)}
    conv = {"pads": [1, 1], "kernel_shape": [3]}
    steps = [
        node("GlobalAveragePool", ["x"], "g"),
        node("Squeeze", ["g", "last"], "s"),
        node("Transpose", ["s"], "t", perm=[0, 2, 1]),
        node("Conv", ["t", "c.weight"], "c", **conv),
        node("Sigmoid", ["c"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1]),
        node("Unsqueeze", ["b", "last"]),
    ]
    made = model(steps, constants={**last, **weights})
    check(made)
    assert ops_of(made, tmp_path)[1:] == ["reshape", "conv", "sigmoid", "reshape"]
    shapes = {"row": [0, 1, -1], "image": [0, -1, 1, 1]}
    steps = [
        node("GlobalAveragePool", ["x"], "g"),
        node("Reshape", ["g", "row"], "r"),
        node("Conv", ["r", "c.weight"], "c", **conv),
        node("Reshape", ["c", "image"]),
    ]
    made = model(steps, constants={**shapes, **weights})
    check(made)
    assert ops_of(made, tmp_path)[1:] == ["reshape", "conv", "reshape"]


def test_a_layer_that_is_used_twice_is_two(tmp_path: Path) -> None:
    steps = [node("Conv", ["x", "c.weight"], "h"), node("Conv", ["h", "c.weight"])]
    made = model(steps, constants={"c.weight": random(3, 3, 1, 1)})
    check(made)
    assert read(made, tmp_path).graph.layer_names == ("c", "c_2")


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_layers_of_vectors(op: str, tmp_path: Path) -> None:
    flat = [node("GlobalAveragePool", ["x"], "g"), node("Flatten", ["g"], "f")]
    constants = {"w": random(3, 5), "b": random(5)}
    layer = (
        [node("Gemm", ["f", "w", "b"], alpha=0.5, beta=2.0)]
        if op == "Gemm"
        else [node("MatMul", ["f", "w"], "m"), node("Add", ["b", "m"])]
    )
    made = model(flat + layer, constants=constants)
    check(made)
    assert ops_of(made, tmp_path) == ["global_avg_pool", "linear"]


def test_batch_norms_are_folded(tmp_path: Path) -> None:
    norms = {f"n{i}": random(4, seed=i) ** 2 + 0.1 for i in range(4)}
    constants = {"c.weight": random(4, 3, 3, 3), **norms}
    made = model(
        [
            node("Conv", ["x", "c.weight"], "c"),
            node("BatchNormalization", ["c", *norms], epsilon=1e-3),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["conv"]
