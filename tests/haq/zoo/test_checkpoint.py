from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from haq.zoo import DEFAULT_WEIGHTS
from haq.zoo.checkpoint import read_weights
from quant.errors import ModelError
from tests.haq.subjects import small_net, write_small_weights


class Payload:
    """Unpickled, it makes a directory."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def small_state() -> dict[str, Tensor]:
    return dict(small_net().state_dict())


def refuse(path: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as raised:
        read_weights(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrap", [False, True], ids=["state", "checkpoint"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.bin"])
def test_a_torch_checkpoint_is_read(wrap: bool, name: str, tmp_path: Path) -> None:
    state = small_state()
    torch.save({"state_dict": state, "epoch": 3} if wrap else state, tmp_path / name)
    found = read_weights(tmp_path / name)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_poisoned_checkpoint_is_refused_and_runs_nothing(legacy: bool, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.pth"
    poisoned = {**small_state(), "extra": Payload(marker)}
    torch.save(poisoned, path, _use_new_zipfile_serialization=not legacy)
    refuse(path, "not a readable safetensors or weights_only checkpoint")
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_plain_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.pth"
    path.write_bytes(pickle.dumps(Payload(marker)))
    refuse(path, "not a readable")
    assert not marker.exists()


def test_a_pickle_named_safetensors_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.safetensors"
    torch.save({"weights": Payload(marker)}, path)
    refuse(path, "not a readable")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"\x00" * 64, b"PK\x03\x04" + b"\xff" * 90]
)
def test_garbage_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, "not a readable")


def test_cut_weights_are_refused(tmp_path: Path) -> None:
    path = write_small_weights(tmp_path / "weights.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    refuse(path, "not a readable")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    refuse(tmp_path / "absent.pth", r"no such weights file: .*absent\.pth")
    refuse(tmp_path, "no such weights file")


def test_the_packaged_weights_are_plain_float32() -> None:
    state = read_weights(DEFAULT_WEIGHTS)
    assert {t.dtype for name, t in state.items() if "num_batches" not in name} == {torch.float32}
