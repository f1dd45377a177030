from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from api.errors import BusyError
from api.workers import aside
from api.workers.check import check_weights
from quant.errors import InputError
from tests.haq.own_files import write_own
from tests.haq.subjects import write_small_weights
from tests.quant.trace.onnx_models import model, node


def test_weights_that_fit(tmp_path: Path) -> None:
    path = write_small_weights(tmp_path / "w.safetensors")
    assert check_weights(path, "mbv2", 16, None) == {"input_size": 16, "padding": "torch"}


def test_weights_that_do_not_fit_are_refused_by_one_line_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"none")
    with pytest.raises(InputError) as error:
        check_weights(path, "mbv2", 16, "torch")
    assert str(tmp_path) not in str(error.value) and "\n" not in str(error.value)
    assert path.exists()


def test_what_takes_too_long_is_nothing_against_the_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(aside, "TIMEOUT_S", 0.05)
    with pytest.raises(BusyError, match="in time"):
        check_weights(tmp_path / "w.safetensors", "mbv2", 16, "torch")


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_files_that_hold_a_network(tmp_path: Path, ending: str) -> None:
    path = write_own(tmp_path / f"net.{ending}")
    assert check_weights(path, ending, None, None) == {"input_size": 16, "padding": "torch"}


def test_an_onnx_file_whose_weights_are_elsewhere(tmp_path: Path) -> None:
    """They were not uploaded, and what lies there may be another user's."""
    path = tmp_path / "net.onnx"
    found = onnx.load(write_own(path))
    onnx.save(found, path, save_as_external_data=True, location="other.onnx", size_threshold=0)
    with pytest.raises(InputError, match="are not in it: export it as one file"):
        check_weights(path, "onnx", None, None)


def test_a_file_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    """A few bytes ask for a tensor of 8 TB."""
    path = tmp_path / "net.onnx"
    fill = node("ConstantOfShape", ["size"], "f")
    made = model([fill, node("Relu", ["x"])], constants={"size": [2**41]})
    onnx.save(made, path)
    with pytest.raises(InputError, match=r"does not run|ended early"):
        check_weights(path, "onnx", None, None)
