"""FakeQuantNet against the exported ONNX, layer by layer, on the inputs that onnxruntime has.

The integers of the two may differ where a value is half way between levels: ONNX sends halves to
the even neighbour, and divides by a step where we multiply by its inverse. From equal integers both
must compute the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from quant.calibrate import Ranges
from quant.fake_quant import FakeQuantNet
from quant.float_net import activate
from quant.graph import Floats, Graph, Layer, Network, Node
from quant.naive import NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.onnx_export import INPUT, export_onnx
from quant.policy import SIMULATED_BITS, Bits, Policy, from_short_name
from quant.quantized import InputLevels
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case
from tests.quant.pretrained import pretrained

ERROR = 1e-5
"""Largest error by the largest value: both sum floats, in their own order. 3e-6 is seen."""
FLIPS = 5e-4
"""Share of a layer's inputs whose integers differ, by one always; 1.2e-4 is seen."""
UNIFORM = ["8", "32", "w4a8", "w6a6"]
MIXES = [f"mix {seed}" for seed in range(5)]


@dataclass(frozen=True)
class Compared:
    """A layer in onnxruntime and in torch, and the integers of its input, if it has any."""

    layer: Layer
    onnx: Floats
    ours: Floats
    integers: Floats | None = None
    our_integers: Floats | None = None

    @property
    def error(self) -> float:
        """Largest difference by the largest value, from equal integers."""
        return float(np.abs(self.onnx - self.ours).max() / np.abs(self.onnx).max())


def policy_of(name: str, names: Sequence[str]) -> Policy:
    """A short name's policy, or a random one of 2 to 8 bits by its seed."""
    known = from_short_name(name, names)
    if known is not None:
        return known
    rng = np.random.default_rng(int(name.split()[1]))
    drawn = rng.choice(SIMULATED_BITS, (len(names), 2))
    return Policy({n: Bits(int(w), int(a)) for n, (w, a) in zip(names, drawn, strict=True)})


def compare(network: Network, ranges: Ranges, images: Floats, policy: Policy) -> list[Compared]:
    """Every layer on images (N, C, H, W)."""
    quantizer = NaiveQuantizer(network, ranges, "ncnn" if policy.is_deployable else "simulated")
    net = FakeQuantNet(network.graph, quantizer, Capabilities())
    values = run_all(export_onnx(net, policy), images)
    return list(each_layer(net, policy, values))


def run_all(model: onnx.ModelProto, images: Floats) -> Mapping[str, Floats]:
    """Every tensor of a model by name."""
    names = [name for node in model.graph.node for name in node.output]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(names, {INPUT: images})
    return {INPUT: images, **dict(zip(names, found, strict=True))}


def each_layer(
    net: FakeQuantNet, policy: Policy, values: Mapping[str, Floats]
) -> Iterator[Compared]:
    layers, tensors = net.layers(policy), tensor_names(net.graph)
    for node in net.graph.nodes:
        if node.layer is None:
            continue
        layer, expected = node.layer, values[tensors[node.name]]
        if layer.is_product:
            one, other = (torch.from_numpy(values[tensors[name]]) for name in node.inputs)
            ours = net.run_product(layer, one, other, policy).numpy()
            yield Compared(layer, expected, ours)
            continue
        x, levels = values[tensors[node.inputs[0]]], layers[node.name].input
        if levels is None:
            yield Compared(layer, expected, run(net, layer, policy, x))
            continue
        theirs = values[f"{node.name}.input.quantize:0"].astype(np.float32)
        integers = quantize(x.reshape(theirs.shape), levels)
        step, offset = np.float32(1 / levels.scale), offset_of(levels, theirs)
        own = run(net, layer, policy, integers * step + offset)
        assert np.array_equal(run(net, layer, policy, x), own), layer
        ours = run(net, layer, policy, theirs * step + offset)
        yield Compared(layer, expected, ours, theirs, integers)


def tensor_names(graph: Graph) -> dict[str, str]:
    """Name of the tensor that holds each node's value."""
    return {node.name: tensor_name(node) for node in graph.nodes}


def tensor_name(node: Node) -> str:
    if node.op == "input":
        return INPUT
    if node.layer is not None and node.layer.activation != "none":
        return f"{node.name}.{node.layer.activation}:0"
    return f"{node.name}:0"


def quantize(x: Floats, levels: InputLevels) -> Floats:
    """What the levels' definition says."""
    scaled = (x - offset_of(levels, x)) * np.float32(levels.scale)
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))
    return np.asarray(np.clip(rounded, levels.low, levels.high))


def offset_of(levels: InputLevels, x: Floats) -> Floats:
    """What is taken from the channels of (N, C, ...)."""
    offset = np.zeros(1, np.float32) if levels.offset is None else levels.offset
    return offset.reshape(1, -1, *[1] * (x.ndim - 2))


def run(net: FakeQuantNet, layer: Layer, policy: Policy, x: Floats) -> Floats:
    """A layer of ours with its activation."""
    value = activate(net.run_layer(layer, torch.from_numpy(x), policy), layer.activation)
    found: Floats = value.numpy()
    return found


def check(compared: Sequence[Compared]) -> None:
    for found in compared:
        assert found.error <= ERROR, found.layer
        if found.integers is not None and found.our_integers is not None:
            steps = np.abs(found.integers - found.our_integers)
            assert steps.max() <= 1, found.layer
            assert (steps > 0).mean() <= FLIPS, found.layer


@pytest.mark.parametrize("kind", [*KINDS, *BLOCKS])
@pytest.mark.parametrize("name", [*UNIFORM, *MIXES])
def test_layers_compute_what_onnxruntime_computes(kind: str, name: str) -> None:
    known = block(kind) if kind in BLOCKS else case(kind)
    policy = policy_of(name, known.network.graph.layer_names)
    compared = compare(known.network, known.ranges, known.images[:4].numpy(), policy)
    assert len(compared) == len(known.network.graph.layers)
    assert any(found.integers is not None for found in compared) == (name != "32")
    check(compared)


@pytest.mark.parametrize("name", [*UNIFORM, *MIXES[:3]])
def test_pretrained_layers_compute_what_onnxruntime_computes(name: str) -> None:
    known = pretrained()
    policy = policy_of(name, known.network.graph.layer_names)
    compared = compare(known.network, known.ranges, known.images[:1], policy)
    assert len(compared) == 53
    check(compared)
