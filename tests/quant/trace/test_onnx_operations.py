from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from quant.errors import ModelError
from tests.quant.networks import Shape
from tests.quant.trace.onnx_models import both, model, node, random, read

FEW = settings(max_examples=25, deadline=None)
PADS = st.lists(st.integers(0, 2), min_size=4, max_size=4)
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3)).map(list)


def check(made: onnx.ModelProto, shape: Shape = (3, 8, 8)) -> None:
    with TemporaryDirectory() as folder:
        ours, expected = both(made, Path(folder), shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def ops_of(made: onnx.ModelProto, folder: Path) -> list[str]:
    return [found.op for found in read(made, folder).graph.nodes[1:]]


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


@pytest.mark.parametrize(
    ("op", "how"),
    [
        ("Relu", {}),
        ("LeakyRelu", {"alpha": 0.3}),
        ("Sigmoid", {}),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
        ("HardSwish", {}),
        ("Identity", {}),
        ("Cast", {"to": onnx.TensorProto.FLOAT}),
        ("GlobalAveragePool", {}),
        ("GlobalMaxPool", {}),
        ("Flatten", {}),
    ],
)
def test_operations_of_one_value(op: str, how: dict[str, Any]) -> None:
    check(model([node("LeakyRelu", ["x"], "h", alpha=2.0), node(op, ["h"], **how)]))


def test_two_values_are_subtracted() -> None:
    check(model([node("Relu", ["x"], "h"), node("Sub", ["h", "x"])]))


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_over_the_classes_is_left_out(op: str, tmp_path: Path) -> None:
    flat, weights = node("GlobalAveragePool", ["x"], "g"), {"fc.weight": random(3, 5)}
    steps = [flat, node("Flatten", ["g"], "f"), node("MatMul", ["f", "fc.weight"], "h")]
    made = model([*steps, node(op, ["h"], axis=1)], constants=weights)
    assert ops_of(made, tmp_path)[-1] == "linear"


@pytest.mark.parametrize(
    ("step", "constants", "ops"),
    [
        (node("Tanh", ["x"]), {}, ["tanh"]),
        (node("Elu", ["x"], alpha=0.3), {}, ["elu"]),
        (node("Mish", ["x"]), {}, ["mish"]),
        (node("Softplus", ["x"]), {}, ["softplus"]),
        (node("Max", ["x", "x"]), {}, ["maximum"]),
        (node("ReduceMean", ["x", "axes"]), {"axes": [1]}, ["channel_mean"]),
        (node("PRelu", ["x", "s"]), {"s": random(4, 1, 1)}, ["prelu"]),
        (node("PRelu", ["x", "s"]), {"s": random(1)}, ["prelu"]),
        (node("Clip", ["x", "low"]), {"low": np.float32(-0.5)}, ["clip"]),
        (node("DepthToSpace", ["x"], blocksize=2, mode="CRD"), {}, ["pixel_shuffle"]),
        (node("Selu", ["x"]), {}, ["selu"]),
        (node("Celu", ["x"], alpha=0.5), {}, ["celu"]),
        (node("Softsign", ["x"]), {}, ["softsign"]),
        (node("Abs", ["x"]), {}, ["abs"]),
        (node("LRN", ["x"], size=3, alpha=0.1, beta=0.5, bias=2.0), {}, ["local_response_norm"]),
        (node("Pad", ["x", "p"], mode="reflect"), {"p": [0, 0, 1, 2, 0, 0, 0, 1]}, ["pad"]),
        (node("Pad", ["x", "p"], mode="edge"), {"p": [0, 0, 1, 2, 0, 0, 0, 1]}, ["pad"]),
        (
            node("InstanceNormalization", ["x", "g", "b"], epsilon=1e-3),
            {"g": random(4), "b": random(4)},
            ["group_norm"],
        ),
    ],
)
def test_what_stays_float_between_layers(
    step: onnx.NodeProto, constants: dict[str, Any], ops: list[str], tmp_path: Path
) -> None:
    made = model([step], (1, 4, 6, 5), constants)
    check(made, (4, 6, 5))
    assert ops_of(made, tmp_path) == ops


def test_quotients_powers_and_norms(tmp_path: Path) -> None:
    steps = [
        node("Sigmoid", ["x"], "s"),
        node("Pow", ["s", "p"], "q"),
        node("Reciprocal", ["q"], "r"),
        node("Sqrt", ["r"], "t"),
        node("ReduceL2", ["x", "axes"], "n"),
        node("Div", ["t", "n"], "d"),
        node("Div", ["two", "d"], "e"),
        node("Neg", ["e"]),
    ]
    made = model(steps, constants={"p": np.float32(2.5), "axes": [1], "two": np.float32(2)})
    check(made)
    ops = ["sigmoid", "power", "reciprocal", "sqrt", "channel_norm", "div", "reciprocal", "scale"]
    assert ops_of(made, tmp_path) == ops


def test_channels_made_of_pixels(tmp_path: Path) -> None:
    """ONNX has those of one place in a square behind one another, torch those of one channel."""
    made = model([node("SpaceToDepth", ["x"], blocksize=2)])
    check(made)
    assert ops_of(made, tmp_path) == ["pixel_unshuffle", "shuffle"]


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


def test_the_logarithm_of_a_sigmoid(tmp_path: Path) -> None:
    made = model([node("Sigmoid", ["x"], "h"), node("Log", ["h"])])
    check(made)
    assert ops_of(made, tmp_path) == ["log_sigmoid"]


def test_padding_before_a_pool(tmp_path: Path) -> None:
    steps = [node("Pad", ["x", "p"], "h"), node("MaxPool", ["h"], kernel_shape=[2, 2])]
    made = model(steps, constants={"p": [0, 0, 1, 1, 0, 0, 1, 1]})
    check(made)
    assert ops_of(made, tmp_path) == ["pad", "max_pool"]


def test_a_layer_that_is_used_twice_is_two(tmp_path: Path) -> None:
    steps = [node("Conv", ["x", "c.weight"], "h"), node("Conv", ["h", "c.weight"])]
    made = model(steps, constants={"c.weight": random(3, 3, 1, 1)})
    check(made)
    assert read(made, tmp_path).graph.layer_names == ("c", "c_2")


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


def test_clips_at_0_and_6(tmp_path: Path) -> None:
    bounds = {"low": np.float32(0), "high": np.float32(6), "ten": np.float32(10)}
    larger = node("Mul", ["x", "ten"], "h")
    six, zero = (
        model([larger, node("Clip", ["h", *b])], constants=bounds)
        for b in (["low", "high"], ["low"])
    )
    for made, op in ((six, "relu6"), (zero, "relu")):
        check(made)
        assert ops_of(made, tmp_path) == ["scale", op]


@pytest.mark.parametrize("last", ["Div", "Mul"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_hard_swish_that_is_written_out(last: str, swapped: bool, tmp_path: Path) -> None:
    numbers = {"three": 3.0, "zero": 0.0, "six": 6.0 if last == "Div" else 1 / 6}
    constants = {name: np.float32(value) for name, value in numbers.items()} | {
        "top": np.float32(6)
    }
    product = ["h", "x"] if swapped else ["x", "h"]
    made = model(
        [
            node("Add", ["x", "three"], "s"),
            node("Clip", ["s", "zero", "top"], "h"),
            node("Mul", product, "m"),
            node(last, ["m", "six"]),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["hardswish"]


def test_a_hard_sigmoid_and_a_swish_that_are_written_out(tmp_path: Path) -> None:
    constants = {name: np.float32(v) for name, v in (("three", 3), ("zero", 0), ("six", 6))}
    gate = model(
        [
            node("Add", ["three", "x"], "s"),
            node("Clip", ["s", "zero", "six"], "h"),
            node("Div", ["h", "six"]),
        ],
        constants=constants,
    )
    swish = model([node("Sigmoid", ["x"], "h"), node("Mul", ["x", "h"])])
    for made, op in ((gate, "hardsigmoid"), (swish, "silu")):
        check(made)
        assert ops_of(made, tmp_path) == [op]


def test_arithmetic_with_constants_becomes_part_of_the_layer(tmp_path: Path) -> None:
    constants = {
        "c.weight": random(5, 3, 1, 1),
        "by_channel": random(1, 5, 1, 1),
        "bias": random(5, 1, 1),
        "two": np.float32(2),
    }
    made = model(
        [
            node("Conv", ["x", "c.weight"], "c"),
            node("Mul", ["by_channel", "c"], "m"),
            node("Add", ["m", "bias"], "a"),
            node("Sub", ["two", "a"], "s"),
            node("Div", ["s", "two"]),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["conv"]


def test_an_images_normalisation_is_a_scale(tmp_path: Path) -> None:
    constants = {"mean": random(1, 3, 1, 1), "std": 1 + random(3, 1, 1) ** 2}
    made = model([node("Sub", ["x", "mean"], "s"), node("Div", ["s", "std"])], constants=constants)
    check(made)
    assert ops_of(made, tmp_path) == ["scale"]


def test_a_value_that_waits_is_computed_once(tmp_path: Path) -> None:
    constants = {"shift": random(3, 1, 1)}
    made = model(
        [
            node("Add", ["x", "shift"], "s"),
            node("Relu", ["s"], "a"),
            node("Sigmoid", ["s"], "b"),
            node("Add", ["a", "b"]),
        ],
        constants=constants,
    )
    check(made)
    assert ops_of(made, tmp_path) == ["scale", "relu", "sigmoid", "add"]


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


def test_channels_are_split_taken_joined_and_shuffled(tmp_path: Path) -> None:
    constants = {
        "sizes": [1, 5], "start": [-2], "end": [2**62], "axis": [1],
        "apart": [1, 2, 3, 8, 8], "again": [1, -1, 8, 8],
    }  # fmt: skip
    halves = onnx.helper.make_node("Split", ["d", "sizes"], ["a", "b"], "halves", axis=1)
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


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (model([node("Sinh", ["x"])]), "operation Sinh 'the_y' is not supported"),
        (model([node("Softmax", ["x"])]), "is over another axis than classes"),
        (model([node("Div", ["x", "c"])], constants={"c": np.float32(0)}), "divides by 0"),
        (model([node("Pow", ["x", "c"])], constants={"c": random(3, 1, 1)}), "more than one expon"),
        (model([node("ReduceL2", ["x", "c"])], constants={"c": [2]}), "other axes than channels"),
        (model([node("Concat", ["x", "x"], axis=0)]), "mixes the images of a batch"),
        (model([node("Slice", ["x", "z", "e", "z"])], constants={"z": [0], "e": [1]}),
         "takes some of the images"),
        (
            model([node("Squeeze", ["x"], "h"), node("Conv", ["h", "c"], pads=[0, 1])],
                  shape=(2, 3, 8, 1), constants={"c": random(4, 3, 2)}),
            "pads one end of its axis more",
        ),
        (model([node("Transpose", ["x"], perm=[0, 2, 3, 1])]), "is read with its axes moved"),
        (model([node("HardSigmoid", ["x"])]), "has other factors"),
        (
            model([node("Cast", ["x"], "h", to=6), node("Cast", ["h"], to=1)]),
            "casts to other than float32",
        ),
        (model([node("Add", ["x", "c"])], constants={"c": random(8, 8)}), "one a channel"),
        (model([node("PRelu", ["x", "c"])], constants={"c": random(3, 8, 8)}), "slopes of single"),
        (model([node("DepthToSpace", ["x"], blocksize=1)]), "has mode DCR"),
        (
            model([node("Resize", ["x", "", "s"], mode="cubic")],
                  constants={"s": np.array([1, 1, 2, 2], np.float32)}),
            "is not supported: only nearest and linear",
        ),
        (
            model([node("Resize", ["x", "", "s"])],
                  constants={"s": np.array([1, 1, 1.5, 1.5], np.float32)}),
            "is not supported: only nearest and linear",
        ),
        (
            model([node("Pad", ["x", "p", "v"])],
                  constants={"p": [0, 0, 1, 1, 0, 0, 1, 1], "v": np.float32(1)}),
            "pads other than zeros or pixels",
        ),
        (model([node("LRN", ["x"], size=2)]), "the network does not run"),
        (model([node("Selu", ["x"], alpha=1.0)]), "has other numbers"),
        (model([node("Abs", ["x"], "h"), node("Log", ["h"])]), "is of other than a sigmoid"),
        (
            model([node("Conv", ["x", "x"])], shape=(1, 1, 4, 4)),
            "computes its input 1 from the image",
        ),
        (
            model([node("ReduceMax", ["x", "axes"])], constants={"axes": [2]}),
            "is over other axes",
        ),
        (
            model([node("Reshape", ["x", "to"])], constants={"to": [3, 64]}),
            "mixes the images of a batch",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(made: onnx.ModelProto, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        read(made, tmp_path)
    assert "\n" not in str(caught.value)
