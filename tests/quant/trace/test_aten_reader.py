from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.graph import Network
from quant.trace import trace
from quant.trace.aten_constants import FOLDED
from quant.trace.aten_reader import export, read_pt2
from quant.trace.program import Constant
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, Case, build, case, random_images
from tests.quant.parts import ChannelAttention, CoordinateAttention, GeneralisedMean, PlainLayerNorm

SHAPE = (3, 8, 8)
Then = Callable[[Any, Tensor], Tensor]


class Function(nn.Module):
    """A convolution, then whatever `then` does with this module and the value."""

    def __init__(self, then: Then) -> None:
        super().__init__()
        self.then = then
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.other = nn.Conv2d(4, 4, 3)
        self.weight = nn.Parameter(torch.randn(4, 4, 1, 1))
        self.shift = nn.Buffer(torch.randn(4, 1, 1))
        self.slopes = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self, self.conv(x))


class Branching(nn.Module):
    """torch.fx cannot follow a branch that depends on the size."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"wide": nn.Conv2d(3, 4, 3), "narrow": nn.Conv2d(3, 4, 1)})
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers["wide" if x.shape[2] > 4 else "narrow"](x)
        logits: Tensor = self.head(F.relu(x).mean((2, 3)))
        return logits


def known(kind: str) -> Case:
    return case(kind) if kind in KINDS else block(kind)


def ops(network: Network) -> list[str]:
    return [node.op for node in network.graph.nodes[1:]]


def save(net: nn.Module, images: Tensor, path: Path, core: bool, batch: bool) -> None:
    sizes = ({0: torch.export.Dim("batch", min=1, max=64)},) if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, (images,), dynamic_shapes=sizes)
        torch.export.save(program.run_decompositions() if core else program, path)


def check(network: Network, net: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(
            FloatNet(network).logits(images), net(images), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("kind", [*KINDS, *BLOCKS])
def test_an_exported_module_is_what_fx_traces(kind: str) -> None:
    expected = known(kind)
    network = export(expected.module, tuple(expected.images.shape[1:]))  # type: ignore[arg-type]
    check(network, expected.module, expected.images)
    assert network.graph.layers == expected.network.graph.layers
    assert ops(network) == ops(expected.network)
    assert dict(network.graph.stays_float) == dict(expected.network.graph.stays_float)


@pytest.mark.parametrize("kind", ["mobile v3", "shuffle", "decoder", "retrieval"])
@pytest.mark.parametrize(("core", "batch"), [(True, False), (False, True)])
def test_a_saved_program_is_the_module(kind: str, core: bool, batch: bool, tmp_path: Path) -> None:
    """As exported and in core ATen, for a batch that is fixed or free."""
    expected = known(kind)
    save(expected.module, expected.images[:2], tmp_path / "net.pt2", core, batch)
    network = read_pt2(tmp_path / "net.pt2")
    check(network, expected.module, expected.images)
    assert network.graph.layers == expected.network.graph.layers
    assert ops(network) == ops(expected.network)


def standardized(weight: Tensor, gain: Tensor) -> Tensor:
    """Rows of mean 0 and deviation 1 (Brock et al. 2021), as timm computes them."""
    rows = weight.reshape(1, len(weight), -1)
    return F.batch_norm(rows, None, None, gain * 0.3, training=True, eps=1e-6).reshape_as(weight)


class MeansInARow(nn.Module):
    """ECA as timm has it, by shapes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 5, padding=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x.mean((2, 3)).view(x.shape[0], 1, -1)).sigmoid()
        attended: Tensor = x * y.view(x.shape[0], -1, 1, 1).expand_as(x)
        return attended


@pytest.mark.parametrize(
    "make",
    [
        MeansInARow,
        lambda: ChannelAttention(3),
        lambda: CoordinateAttention(3, 4),
        lambda: GeneralisedMean(2.7),
        lambda: PlainLayerNorm(3, 0.1),
        lambda: nn.PixelUnshuffle(2),
    ],
)
@pytest.mark.parametrize(("core", "batch"), [(False, False), (True, False), (False, True)])
def test_attention_and_powers_of_saved_programs(
    make: Callable[[], nn.Module], core: bool, batch: bool, tmp_path: Path
) -> None:
    net = build(lambda: nn.Sequential(nn.Conv2d(3, 3, 1), make()))
    images = random_images(SHAPE, 3)
    save(net, images, tmp_path / "net.pt2", core, batch)
    check(read_pt2(tmp_path / "net.pt2"), net, images)


def test_a_branch_that_depends_on_the_size() -> None:
    net = build(Branching)
    with pytest.raises(ModelError, match="cannot be traced"):
        trace(net, SHAPE)
    network = export(net, SHAPE)
    check(network, net, random_images(SHAPE, 3))
    assert network.graph.layer_names == ("layers.wide", "head")


@pytest.mark.parametrize(
    ("then", "made"),
    [
        (lambda net, y: y * F.relu6(y + 3) / 6, ["conv", "hardswish"]),
        (lambda net, y: y * (F.relu6(y + 3) / 6), ["conv", "hardswish"]),
        (lambda net, y: torch.sigmoid(y) * y, ["conv", "silu"]),
        (lambda net, y: y + net.shift, ["conv"]),
        (lambda net, y: y.sigmoid() - y, ["conv", "sigmoid", "scale", "add"]),
        (
            lambda net, y: F.adaptive_max_pool2d(y, 1) - y.amax((2, 3), True),
            ["conv", "max_pool", "max_pool", "scale", "add"],
        ),
        (lambda net, y: (1 - y) / 3, ["conv"]),
        (lambda net, y: (y - net.shift).relu() * 2, ["conv", "scale"]),
        (lambda net, y: net.other(F.pad(y, (1, 2, 0, 1))), ["conv", "conv"]),
        (lambda net, y: F.conv2d(y, net.weight), ["conv", "conv"]),
        (lambda net, y: F.conv2d(y, net.weight * 2), ["conv", "conv"]),
        (lambda net, y: F.conv2d(y, net.weight[torch.tensor([3, 1, 0, 2])]), ["conv", "conv"]),
        (lambda net, y: F.conv2d(y, torch.cat([net.weight, -net.weight])), ["conv", "conv"]),
        (lambda net, y: F.conv2d(y, standardized(net.weight, net.slopes)), ["conv", "conv"]),
        (lambda net, y: y.relu().add_(0).mul_(2), ["conv", "scale"]),
        (
            lambda net, y: torch.stack([y, y.relu(), y.tanh()], 1).sum(1),
            ["conv", "relu", "tanh", "add", "add"],
        ),
        (lambda net, y: y[:, 1:3], ["conv", "slice"]),
        (lambda net, y: y.clamp(min=0), ["conv"]),
        (lambda net, y: net.other(net.other(y)), ["conv", "conv", "conv"]),
        (lambda net, y: torch.max(y, 1, keepdim=True).values * y, ["conv", "channel_max", "mul"]),
        (lambda net, y: torch.max(y - 1, y), ["conv", "scale", "maximum"]),
        (lambda net, y: F.prelu(y, net.slopes), ["conv", "prelu"]),
        (lambda net, y: y.to(torch.float32, copy=True), ["conv"]),
        (lambda net, y: F.adaptive_avg_pool2d(y, 2), ["conv", "avg_pool"]),
        (lambda net, y: F.interpolate(y, scale_factor=2), ["conv", "resize"]),
        (lambda net, y: F.max_pool2d(F.pad(y, (1, 1)), 2), ["conv", "pad", "max_pool"]),
        (lambda net, y: F.pad(y, (1, 0, 2, 1), "reflect"), ["conv", "pad"]),
        (lambda net, y: F.pad(y, (1, 0, 2, 1), "replicate"), ["conv", "pad"]),
        (lambda net, y: F.celu(F.selu(y)).abs(), ["conv", "selu", "celu", "abs"]),
        (lambda net, y: F.logsigmoid(y), ["conv", "log_sigmoid"]),
        (lambda net, y: y / y.sigmoid(), ["conv", "sigmoid", "div"]),
        (lambda net, y: 2 / y.sigmoid(), ["conv", "sigmoid", "reciprocal", "scale"]),
        (lambda net, y: F.normalize(y), ["conv", "channel_norm", "clip", "div"]),
        (lambda net, y: -(y.relu() + 1).sqrt(), ["conv", "scale", "sqrt", "scale"]),
        (lambda net, y: net.slopes[:, None, None] * y**3, ["conv", "mul", "mul", "scale"]),
        (lambda net, y: y[:, :, ::2, 1::3], ["conv", "max_pool", "take", "max_pool"]),
        (lambda net, y: torch.cat([y[..., 1:], y], 3), ["conv", "take", "concat"]),
        (lambda net, y: y * y.mean(3, True).expand_as(y), ["conv", "avg_pool", "mul"]),
        (lambda net, y: F.pixel_unshuffle(y, 2), ["conv", "pixel_unshuffle"]),
    ],
)
def test_what_fx_does_not_read(then: Then, made: list[str]) -> None:
    net = build(lambda: Function(then))
    network = export(net, SHAPE)
    check(network, net, random_images(SHAPE, 3))
    assert ops(network) == made


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda net, y: y.softmax(2), "'softmax': only a softmax of scores"),
        (lambda net, y: y * y.softmax(1), "'softmax' is a softmax over classes"),
        (lambda net, y: y.half().float(), "casts to other than float32"),
        (lambda net, y: y.to(torch.int32), "casts to other than float32"),
        (lambda net, y: y / 0, "divides by what is no constant"),
        (lambda net, y: y ** net.slopes[:, None, None], "only supported for one number"),
        (
            lambda net, y: y ** (1 / net.slopes[:, None, None]),
            "as slopes, is only supported for one",
        ),
        (lambda net, y: torch.linalg.vector_norm(y, 1, 1, True), "only L2 norms over channels"),
        (lambda net, y: y.permute(0, 2, 3, 1).reshape(-1, 4), "one axis of the batch and another"),
        (lambda net, y: torch.stack([y, y.relu()]).sum(1), "no sum of a stack of images"),
        (lambda net, y: torch.stack([y, y.relu()], 1).relu().sum(1), "can only be added up"),
        (lambda net, y: y.sum(1), "no sum of a stack of images"),
        (lambda net, y: y[:, ::2], "channels are not taken in steps of 2"),
        (lambda net, y: y.mean((2, 3), True).expand_as(y).tanh(), "only supported where it joins"),
        (lambda net, y: y.add(y.relu(), alpha=2), "has an alpha"),
        (lambda net, y: y.clamp(y.relu()), "only clipped at numbers"),
        (lambda net, y: F.tanhshrink(y).sinh(), "sinh"),
        (lambda net, y: F.pad(y, (1, 1), value=2.0), "pads other than zeros"),
        (lambda net, y: F.conv2d(y, net.weight.tanh()), "'tanh' reads constants alone"),
        (lambda net, y: F.linear(y.mean((2, 3)), y.mean((2, 3))), "computes its weights"),
        (lambda net, y: y.reshape(-1, 8, 8), "mixes the images of a batch"),
        (lambda net, y: (y, y), "several outputs"),
        (lambda net, y: torch.zeros(2, 3), "is not supported"),
        (lambda net, y: net.nothing(y), "cannot be exported for inputs of 3x8x8: .*nothing"),
    ],
)
def test_what_is_refused(then: Then, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        export(Function(then), SHAPE)
    assert "\n" not in str(caught.value)


class TooDeep(nn.Module):
    """Halves its images more often than they have pixels for; torch.export logs a traceback."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(5):
            x = F.max_pool2d(x, 2)
        return x


def test_a_network_that_does_not_export_is_one_error_and_no_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"exported for inputs of 3x8x8: .*too small"):
        export(nn.Sequential(nn.Conv2d(3, 4, 1), TooDeep()), SHAPE)
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    assert capsys.readouterr().err == ""
    assert logging.root.manager.disable == logging.NOTSET


def test_constants_do_not_grow_beyond_all_measure() -> None:
    """A file of a few kilobytes could ask for any amount of memory."""
    column, row = np.zeros((20_000, 1), np.float32), np.zeros((1, 20_000), np.float32)
    with pytest.raises(ModelError, match=r"'mul' of column: .* too many numbers"):
        FOLDED["mul"](Constant("column", column), Constant("row", row))
    many = [Constant("column", column)] * 20_000
    with pytest.raises(ModelError, match=r"'cat' of column: .* too many numbers"):
        FOLDED["cat"](many, 1)


def test_an_index_beyond_a_constant_is_refused() -> None:
    known, beyond = Constant("w", np.zeros(3, np.float32)), Constant("i", np.array([7]))
    with pytest.raises(ModelError, match="'index' of w: index 7 is out of bounds"):
        FOLDED["index"](known, [beyond])
