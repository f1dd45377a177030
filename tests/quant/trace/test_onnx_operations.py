from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quant.errors import ModelError
from tests.quant.trace.onnx_models import check, model, node, ops_of, random, read


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


def test_channels_made_of_pixels(tmp_path: Path) -> None:
    """ONNX has those of one place in a square behind one another, torch those of one channel."""
    made = model([node("SpaceToDepth", ["x"], blocksize=2)])
    check(made)
    assert ops_of(made, tmp_path) == ["pixel_unshuffle", "shuffle"]


def test_the_logarithm_of_a_sigmoid(tmp_path: Path) -> None:
    made = model([node("Sigmoid", ["x"], "h"), node("Log", ["h"])])
    check(made)
    assert ops_of(made, tmp_path) == ["log_sigmoid"]


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
