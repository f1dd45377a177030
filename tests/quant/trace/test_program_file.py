from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quant.errors import ModelError
from quant.trace.program import strided
from quant.trace.program_file import read_program

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
Change = Callable[[dict[str, bytes]], None]


class Marker:
    """Unpickled it writes a file: stands for anything that hostile code would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "was here"))


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.pt2"
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 8, 8),)), path)
    return path


def changed(path: Path, change: Change, compression: int = zipfile.ZIP_STORED) -> Path:
    """A copy of an archive whose parts, by name without the first folder, are changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(parts)
    made = path.with_name("changed.pt2")
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(f"changed/{name}", content)
    return made


def edit(part: str, change: Callable[[Any], None]) -> Change:
    def apply(parts: dict[str, bytes]) -> None:
        found = json.loads(parts[part])
        change(found)
        parts[part] = json.dumps(found).encode()

    return apply


def pickled(marker: Path) -> Change:
    """The first weight as a pickle, which torch.export.load would read."""
    written = io.BytesIO()
    torch.save(Marker(marker), written)

    def apply(parts: dict[str, bytes]) -> None:
        config = json.loads(parts[WEIGHTS])
        config["config"]["0.weight"]["use_pickle"] = True
        parts[WEIGHTS] = json.dumps(config).encode()
        parts["data/weights/weight_0"] = written.getvalue()

    return apply


def symbolic(marker: Path) -> Change:
    """A size that is Python, which torch.export.load would evaluate."""
    code = f"__import__('pathlib').Path('{marker}').write_text('was here')"

    def change(model: Any) -> None:
        graph = model["graph_module"]["graph"]
        sizes = graph["tensor_values"]["x" if "x" in graph["tensor_values"] else "input"]["sizes"]
        sizes[0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}

    return edit(MODEL, change)


def example(marker: Path) -> Change:
    """An example input that is a pickle of code."""

    def apply(parts: dict[str, bytes]) -> None:
        parts["data/sample_inputs/model.pt"] = pickle.dumps(Marker(marker))

    return apply


def input_name(path: Path) -> str:
    return read_program(path).image


def test_a_program_as_it_was_saved(saved: Path) -> None:
    program = read_program(saved)
    assert program.shapes[program.image] == (3, 8, 8)
    assert {constant.name for constant in program.constants.values()} == {"0.weight", "0.bias"}
    assert [operation.target for operation in program.operations] == [
        "torch.ops.aten.conv2d.default",
        "torch.ops.aten.relu.default",
    ]


@pytest.mark.parametrize("hostile", [pickled, symbolic, example])
def test_nothing_of_a_hostile_file_runs(
    hostile: Callable[[Path], Change], saved: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    path = changed(saved, hostile(marker))
    try:
        read_program(path)
    except ModelError as error:
        assert "\n" not in str(error)
    assert not marker.exists()


def test_a_pickled_weight_is_refused_and_torch_would_run_it(saved: Path, tmp_path: Path) -> None:
    """So the file of the test above is hostile indeed."""
    marker = tmp_path / "marker"
    path = changed(saved, pickled(marker))
    with pytest.raises(ModelError, match=r"changed.pt2: holds 0.weight as a pickle"):
        read_program(path)
    with pytest.raises(Exception, match=r".*"):
        torch.export.load(path)
    assert marker.exists()


def test_a_compressed_file_is_refused(saved: Path) -> None:
    """Else a small file could fill the memory."""
    path = changed(saved, lambda parts: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="is compressed"):
        read_program(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit(MODEL, lambda model: model["schema_version"].update(major=7)), "by another torch"),
        (edit(MODEL, lambda model: model.pop("graph_module")), "is no file of torch.export.save"),
        (edit(WEIGHTS, lambda c: c["config"].pop("0.bias")), "is no file of torch.export.save"),
        (
            edit(WEIGHTS, lambda c: c["config"]["0.bias"]["tensor_meta"].update(dtype=13)),
            "0.bias is of a type that is not supported",
        ),
        (
            edit(WEIGHTS, lambda c: c["config"]["0.bias"]["tensor_meta"].update(
                sizes=[{"as_int": 1000}])),
            "a tensor reaches beyond what is stored",
        ),
        (lambda parts: parts.pop("data/weights/weight_1"), "is no file of torch.export.save"),
    ],
)  # fmt: skip
def test_damaged_files(change: Change, message: str, saved: Path) -> None:
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read_program(changed(saved, change))
    assert "\n" not in str(caught.value)


def test_what_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        read_program(tmp_path / "none.pt2")
    (tmp_path / "net.pt2").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"net.pt2 is no file of torch.export.save"):
        read_program(tmp_path / "net.pt2")


def test_several_inputs_and_free_sizes(tmp_path: Path) -> None:
    path, images = tmp_path / "net.pt2", torch.zeros(2, 3, 8, 8)
    torch.export.save(torch.export.export(Two(), (images, images)), path)
    with pytest.raises(ModelError, match="the network has the inputs x, y: one image in"):
        read_program(path)
    free = ({2: torch.export.Dim("height", min=4, max=64)},)
    torch.export.save(torch.export.export(nn.ReLU(), (images,), dynamic_shapes=free), path)
    with pytest.raises(ModelError, match="is not of float32 images Nx3xHxW of a fixed size"):
        read_program(path)


def test_a_small_file_asks_for_no_large_copy() -> None:
    with pytest.raises(ValueError, match="more numbers than are stored"):
        strided(np.zeros(4, np.float32), (1 << 40,), (0,), 0)


@pytest.mark.parametrize(
    ("sizes", "strides", "offset"),
    [((3,), (2,), 0), ((2, 2), (2, 1), 1), ((2,), (-1,), 3), ((-1,), (1,), 0), ((1,), (1,), 4)],
)
def test_tensors_stay_within_what_is_stored(
    sizes: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    with pytest.raises(ValueError, match="beyond"):
        strided(np.arange(4.0), sizes, strides, offset)


def test_tensors_of_any_layout() -> None:
    stored = np.arange(6.0)
    assert strided(stored, (2, 3), (1, 2), 0).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert strided(stored, (), (), 5).item() == 5
    assert strided(stored[:0], (0, 3), (3, 1), 0).shape == (0, 3)
