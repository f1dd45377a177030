"""FakeQuantNet against ncnn, layer by layer: each layer is fed with ncnn's own input.

End to end two exact emulations drift apart: one flip of a rounding grows through the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from haq.data import normalise
from haq.data.sources import load_images
from haq.zoo import load
from quant.calibrate import Ranges, calibrate
from quant.fake_quant import FakeQuantNet
from quant.float_net import activate
from quant.graph import Floats, Layer, Network, Node
from quant.naive import NaiveQuantizer
from quant.ncnn.build import blob_names, dump, float_layers, mixed_layers, plan_policy
from quant.ncnn.runtime import Engine, capabilities
from quant.ncnn.weights import activation_scale, round_half_away
from quant.policy import Bits, Policy, uniform
from quant.trace import trace
from tests.quant.networks import KINDS, case

SHARED = Path(__file__).parents[3] / "shared" / "data"
DENSE, GROUPED = 1e-6, 5e-4
"""Largest error by the largest value; ncnn's x86 depthwise uses an approximate reciprocal."""
FLIPS = 2e-3


@dataclass(frozen=True)
class Compared:
    """Output of one layer as ncnn and as we compute it; `bits` of the blob that ncnn keeps."""

    layer: Layer
    bits: int
    ncnn: Floats
    ours: Floats

    @property
    def error(self) -> float:
        """Largest difference by the largest value."""
        return float(np.abs(self.ncnn - self.ours).max() / np.abs(self.ncnn).max())


class Teacher:
    """A network under one policy in ncnn and in torch."""

    def __init__(self, network: Network, ranges: Ranges, policy: Policy) -> None:
        board, bits = capabilities(), policy.engine_bits()
        layers, thresholds = float_layers(network), ranges.engine_thresholds()
        param, weights = dump(mixed_layers(layers, bits, thresholds, board))
        bits16 = board.bits16 if 16 in bits.values() else "none"
        self.engine = Engine.from_memory(param, weights, bits16)
        self.widths = plan_policy(layers, bits, thresholds, board).blob_bits
        self.scales = {name: activation_scale(thresholds[name]) for name in bits}
        self.net = FakeQuantNet(network.graph, NaiveQuantizer(network, ranges, "ncnn"), board)
        self.policy = policy

    def compare(self, image: Floats) -> Iterator[Compared]:
        """Every layer of the network on one image (C, H, W)."""
        nodes, names = self.net.graph.nodes, blob_names(self.net.graph)
        blobs = self.engine.blobs(image, names.values())
        scales = self.requantized_scales(names)
        values = {n.name: blobs[names[n.name]] / scales.get(n.name, 1.0) for n in nodes}
        for node in nodes:
            if node.layer is not None:
                ours = self.run(node, values)
                if node.name in scales:
                    ours = np.clip(round_half_away(ours * scales[node.name]), -127, 127)
                yield Compared(
                    node.layer, self.widths[names[node.name]], blobs[names[node.name]], ours
                )

    def requantized_scales(self, names: Mapping[str, str]) -> dict[str, float]:
        """Scale of every node that ncnn keeps in int8: that of the layer which reads it."""
        nodes = self.net.graph.nodes
        sources = {n.inputs[0]: self.scales[n.name] for n in nodes if n.layer is not None}
        return {s: scale for s, scale in sources.items() if self.widths[names[s]] == 8}

    def run(self, node: Node, values: Mapping[str, Floats]) -> Floats:
        """One layer of ours with its activation, on ncnn's input."""
        assert node.layer is not None
        x = torch.from_numpy(values[node.inputs[0]].astype(np.float32))[None]
        value = self.net.run_layer(node.layer, x, self.policy)
        value = activate(value, node.layer.activation)
        if self.widths[blob_names(self.net.graph)[node.name]] == 16:
            value = self.net.round16(value)
        found: Floats = value[0].numpy()
        return found


def teach(kind: str, bits: int) -> tuple[Teacher, list[Floats]]:
    known = case(kind)
    policy = uniform(known.network.graph.layer_names, bits, bits)
    return Teacher(known.network, known.ranges, policy), [i.numpy() for i in known.images[:3]]


def check_int8(compared: Sequence[Compared]) -> None:
    steps = [np.abs(c.ncnn - c.ours) for c in compared if c.bits == 8]
    assert steps, "no layer was requantized"
    assert max(float(s.max()) for s in steps) <= 1
    assert sum(int((s > 0).sum()) for s in steps) <= FLIPS * sum(s.size for s in steps)
    for found in compared:
        if found.bits == 32:
            assert found.error <= (GROUPED if found.layer.groups > 1 else DENSE), found.layer


def check_16(compared: Sequence[Compared]) -> None:
    for found in compared:
        if may_use_winograd(found.layer):
            assert found.error <= 2e-2, found.layer
        else:
            assert found.error <= 1e-2, found.layer
            beyond = np.abs(found.ncnn - found.ours) > 1.001 * bf16_ulp(found.ncnn)
            assert beyond.mean() <= 1e-2, found.layer


def may_use_winograd(layer: Layer) -> bool:
    """Dense 3x3 stride 1: ncnn's winograd in bf16 is coarser than one ulp."""
    dense = layer.groups == 1 and layer.dilation == (1, 1)
    return dense and (layer.kernel, layer.stride) == ((3, 3), (1, 1))


def bf16_ulp(x: Floats) -> Floats:
    """Distance of neighbouring bf16 numbers: seven bits behind the leading one."""
    _, exponent = np.frexp(np.maximum(np.abs(x), np.float32(1e-30)))
    ulp: Floats = np.ldexp(np.float32(1.0), exponent - 8)
    return ulp


@pytest.mark.parametrize("kind", KINDS)
def test_int8_layers_compute_what_ncnn_computes(kind: str) -> None:
    teacher, images = teach(kind, 8)
    check_int8([found for image in images for found in teacher.compare(image)])


def test_int8_depthwise_in_front_of_a_float_layer() -> None:
    """Its output is not requantized: the approximate reciprocal shows."""
    known = case("mobile")
    names = known.network.graph.layer_names
    policy = uniform(names, 8, 8).replace("project.0", Bits(32, 32))
    teacher = Teacher(known.network, known.ranges, policy)
    compared = list(teacher.compare(known.images[0].numpy()))
    assert any(c.layer.is_depthwise and c.bits == 32 for c in compared)
    check_int8([c for c in compared if c.layer.name != "project.0"])


@pytest.mark.skipif(capabilities().bits16 == "none", reason="this ncnn has no 16-bit arithmetic")
@pytest.mark.parametrize("kind", KINDS)
def test_16_bit_layers_compute_what_ncnn_computes(kind: str) -> None:
    teacher, images = teach(kind, 16)
    compared = [found for image in images for found in teacher.compare(image)]
    assert any(found.bits == 16 for found in compared)
    check_16(compared)


@pytest.mark.parametrize("kind", KINDS)
def test_float_layers_compute_what_ncnn_computes(kind: str) -> None:
    teacher, images = teach(kind, 32)
    for found in (found for image in images for found in teacher.compare(image)):
        assert found.error <= 1e-5, found.layer


@pytest.fixture(scope="module")
def pretrained() -> tuple[Network, Ranges, Floats]:
    """MobileNetV2 with ImageNet weights, and two images."""
    if not SHARED.is_dir():
        pytest.skip(f"the pretrained weights and their images are not in {SHARED}")
    weights = SHARED / "weights" / "mbv2_imagenet_tfsame.safetensors"
    module, config = load("mbv2", weights, 224, "same")
    network = trace(module, (config.channels, 224, 224))
    pixels = normalise(load_images(f"{SHARED / 'imagenet_224'}:0-3", 224).pixels)
    return network, calibrate(network, torch.from_numpy(pixels), "absmax"), pixels[:2]


@pytest.mark.parametrize(("bits", "check"), [(8, check_int8), (16, check_16)])
def test_pretrained_layers_compute_what_ncnn_computes(
    pretrained: tuple[Network, Ranges, Floats],
    bits: int,
    check: Callable[[Sequence[Compared]], None],
) -> None:
    network, ranges, images = pretrained
    teacher = Teacher(network, ranges, uniform(network.graph.layer_names, bits, bits))
    compared = [found for image in images for found in teacher.compare(image)]
    assert len(compared) == 2 * 53
    check(compared)
