from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from haq.zoo import NetConfig, build, load
from haq.zoo.libraries import LIBRARIES
from haq.zoo.registry import ARCHITECTURES
from quant.errors import ModelError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def state_of(model: str) -> dict[str, Tensor]:
    return dict(build(NetConfig(model, 224, 3, 1000)).state_dict())


def torchvision(
    monkeypatch: pytest.MonkeyPatch, get: Callable[..., Any], mean: tuple[float, ...] = MEAN
) -> None:
    """A stand-in for torchvision, whose weights come from `get`."""
    preset = SimpleNamespace(mean=list(mean), std=list(STD))
    weights = SimpleNamespace(transforms=lambda: preset, get_state_dict=get)
    enum = SimpleNamespace(DEFAULT=weights)
    models = SimpleNamespace(get_model_weights=lambda name: enum)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


def timm(monkeypatch: pytest.MonkeyPatch, net: nn.Module, mean: tuple[float, ...]) -> None:
    """A stand-in for timm with one network."""
    net.pretrained_cfg = {"mean": mean, "std": (0.5, 0.5, 0.5)}  # type: ignore[assignment]
    library = SimpleNamespace(create_model=lambda name, pretrained: net)
    monkeypatch.setitem(sys.modules, "timm", library)


def test_torchvisions_weights_come_with_their_normalisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    state = state_of("mbv3_small")

    def get(**how: Any) -> dict[str, Tensor]:
        asked.append(how)
        return state

    torchvision(monkeypatch, get)
    net, config = load("mbv3_small", Path("torchvision"))
    assert config == NetConfig("mbv3_small", 224, 3, 1000)
    assert asked == [{"check_hash": True, "weights_only": True}]
    assert isinstance(net.normalise, nn.BatchNorm2d)
    assert not net.normalise.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_weights_of_a_library_are_for_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision(monkeypatch, lambda **how: state_of("mbv2"))
    assert load("mbv2", Path("torchvision"))[1].input_size == 224
    assert load("mbv2", Path("torchvision"), 64)[1].input_size == 64


def test_timms_weights_for_our_images_need_no_normalisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timm(monkeypatch, build(NetConfig("lite0", 224, 3, 1000)), (0.5, 0.5, 0.5))
    net, config = load("lite0", Path("timm"))
    assert config.padding == "same"
    assert isinstance(net.normalise, nn.Identity)
    timm(monkeypatch, build(NetConfig("lite0", 224, 3, 1000)), MEAN)
    assert isinstance(load("lite0", Path("timm"))[0].normalise, nn.BatchNorm2d)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_library_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelError, match=f"--weights {library} needs it: pip install {library}"):
        load("resnet18", Path(library))


def test_a_library_that_does_not_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('another\\ntorch')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(ModelError, match="timm is installed, but does not start: another torch"):
        load("resnet18", Path("timm"))


def test_a_network_that_a_library_does_not_have_is_refused() -> None:
    for library in LIBRARIES:
        match = f"{library} has no weights of proxyless_gpu with the published Proxyless networks'"
        with pytest.raises(ModelError, match=match):
            load("proxyless_gpu", Path(library))


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise OSError("no route\nto host")

    torchvision(monkeypatch, fail)
    with pytest.raises(ModelError, match="torchvision cannot fetch its weights: no route to host"):
        load("resnet18", Path("torchvision"))


def test_every_published_classifier_but_the_proxyless_ones_is_in_a_library() -> None:
    missing = {name for name, a in ARCHITECTURES.items() if not (a.torchvision or a.timm)}
    assert missing == {n for n, a in ARCHITECTURES.items() if a.is_dense or "proxyless" in n}
