from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from haq.own_network import is_own, load_own
from haq.zoo import DataShape
from quant.errors import InputError, ModelError
from quant.float_net import FloatNet

SOURCE = """
import torch
from torch import nn
from tests.haq.test_own_network import Small, Branching, Strange

def make():
    torch.manual_seed(0)
    return Small()

def shaped():
    return Small()

shaped.input_shape = (3, 16, 16)

def branching():
    return Branching()

def strange():
    return Strange()

def number():
    return 3

def broken():
    raise ValueError("no such thing")
"""
SHAPE = (3, 16, 16)


class Small(nn.Module):
    """A convolution and a classifier of five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(x).mean((2, 3)))
        return logits


class Branching(Small):
    """torch.fx cannot follow a branch that depends on the size."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.shape[2] > 4 else F.relu(x))


class Strange(Small):
    """Neither torch.fx nor torch.export can follow a branch that depends on the image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module of the user's."""
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


def logits_of(net: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = net.eval()(images)
    return found


def test_all_three_ways_give_one_network(here: Path) -> None:
    net, images = small(), torch.randn(4, *SHAPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, *SHAPE),), here / "net.onnx", dynamo=False)
        torch.export.save(torch.export.export(net, (torch.zeros(2, *SHAPE),)), here / "net.pt2")
    for model in ("mine:make", "net.onnx", str(here / "net.pt2")):
        config, network = load_own(model, None, 16)
        assert (config.model, config.input_size, config.channels) == (model, 16, 3)
        assert config.classes == 5
        assert network.graph.layer_names == ("conv.0", "fc")
        found = FloatNet(network).logits(images)
        torch.testing.assert_close(found, logits_of(net, images), rtol=1e-4, atol=1e-4)


def test_what_is_the_users_own() -> None:
    assert all(is_own(model) for model in ("a.b:make", "net.pt2", "some/net.onnx"))
    assert not any(is_own(model) for model in ("mbv2", "net.pt", "no_such"))


def test_where_the_size_of_images_comes_from(here: Path) -> None:
    assert load_own("mine:shaped", None)[0].input_size == 16
    assert load_own("mine:shaped", None, 32)[0].input_size == 32
    assert load_own("mine:make", None, images=DataShape(3, 7, 20))[0].input_size == 20
    with pytest.raises(ModelError, match="mine:make are of unknown size: say their side by --in"):
        load_own("mine:make", None)


def test_weights_of_a_factory(here: Path) -> None:
    net = Small()
    save_file(
        {name: tensor + 0 for name, tensor in net.state_dict().items()}, here / "w.safetensors"
    )
    _, network = load_own("mine:make", here / "w.safetensors", 16)
    images = torch.randn(2, *SHAPE)
    expected = logits_of(net, images)
    torch.testing.assert_close(FloatNet(network).logits(images), expected, rtol=1e-4, atol=1e-4)
    save_file({"conv": torch.zeros(1)}, here / "w.safetensors")
    with pytest.raises(ModelError, match="does not fit mine:make"):
        load_own("mine:make", here / "w.safetensors", 16)


def test_torch_export_where_fx_fails(here: Path) -> None:
    _, network = load_own("mine:branching", None, 16)
    assert network.graph.layer_names == ("conv.0", "fc")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mine:strange", r"mine:strange cannot be read: .*\(torch.fx\); .*\(torch.export\)"),
        ("mine:number", "mine:number returns a int: a torch.nn.Module is needed"),
        ("mine:broken", "mine:broken failed: ValueError: no such thing"),
        ("mine:none", "mine has no function none"),
        ("none.onnx", "no such model file: none.onnx"),
        ("none.pt2", "no such model file: none.pt2"),
    ],
)
def test_what_cannot_be_loaded(model: str, message: str, here: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_own(model, None, 16)
    assert "\n" not in str(caught.value)


def test_options_that_do_not_go_with_a_file(here: Path) -> None:
    net = small()
    for name, side in (("net.pt2", 16), ("wide.pt2", 20)):
        program = torch.export.export(net, (torch.zeros(2, 3, 16, side),))
        torch.export.save(program, here / name)
    with pytest.raises(ModelError, match=r"net.pt2 holds its weights: leave out --weights"):
        load_own("net.pt2", here / "w.safetensors")
    with pytest.raises(ModelError, match="takes images of 16x16: leave out --input"):
        load_own("net.pt2", None, 32)
    with pytest.raises(ModelError, match="leave out --padding"):
        load_own("net.pt2", None, None, "same")
    with pytest.raises(ModelError, match=r"wide.pt2 takes images of 20x16: square ones are needed"):
        load_own("wide.pt2", None)
