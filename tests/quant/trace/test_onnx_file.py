from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from quant.errors import ModelError
from quant.trace.onnx_file import holds_its_weights, read_file
from tests.quant.trace.onnx_models import model, node, random

RELU = [node("Relu", ["x"])]
CONV = model([node("Conv", ["x", "c.weight"])], constants={"c.weight": random(64, 3, 3, 3)})


def save(made: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(made, folder / "net.onnx")
    return folder / "net.onnx"


def test_a_free_batch_is_one_image(tmp_path: Path) -> None:
    found = read_file(save(model(RELU, ("batch", 3, 8, 6)), tmp_path))
    assert found.values["x"].shape == found.values["y"].shape == (1, 3, 8, 6)


def test_constants_do_not_depend_on_the_image(tmp_path: Path) -> None:
    nodes = [node("Shape", ["x"], "s"), node("Add", ["s", "s"], "t"), node("Relu", ["x"])]
    found = read_file(save(model(nodes), tmp_path))
    constant = found.constant("t")
    assert constant is not None and constant.tolist() == [2, 6, 16, 16]
    assert found.constant("y") is None and found.constant("") is None
    assert [step.name for step in found.steps] == ["the_y"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (model(RELU, (1, 3, "height", "width")), "input x is float 1x3xheightxwidth: float32 ima"),
        (model(RELU, (1, 3)), "input x is float 1x3"),
        (model([node("Add", ["x", "z"])], more_inputs=["z"]), "has the inputs x, z: one image in"),
        (
            model([*RELU, node("Sigmoid", ["x"], "z")], outputs=["y", "z"]),
            "gives the outputs y, z: one image in",
        ),
        (
            model(
                [node("QuantizeLinear", ["x", "s"], "q"), node("DequantizeLinear", ["q", "s"])],
                constants={"s": random(1)[0]},
            ),
            "QuantizeLinear 'the_q': the network is quantized already",
        ),
        (model([node("NoSuchThing", ["x"])]), "the network does not run: .*NoSuchThing"),
        (onnx.ModelProto(), "the network has the inputs none"),
    ],
)
def test_what_is_refused(made: onnx.ModelProto, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        read_file(save(made, tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        read_file(tmp_path / "none.onnx")
    (tmp_path / "net.onnx").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelError, match=r"net.onnx is not a readable ONNX file"):
        read_file(tmp_path / "net.onnx")


def test_weights_beside_the_file(tmp_path: Path) -> None:
    alone = save(CONV, tmp_path)
    assert holds_its_weights(alone)
    apart = tmp_path / "apart.onnx"
    onnx.save(CONV, apart, save_as_external_data=True, location="apart.data", size_threshold=0)
    assert not holds_its_weights(apart)
    weights = read_file(apart).values["c.weight"]
    assert (weights == read_file(alone).values["c.weight"]).all()


def test_weights_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.data").write_bytes(b"\x00" * 64 * 27 * 4)
    (tmp_path / "inner").mkdir()
    made = onnx.ModelProto()
    made.CopyFrom(CONV)
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret.data")
    (tmp_path / "inner" / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="is not a readable ONNX file"):
        read_file(tmp_path / "inner" / "net.onnx")
