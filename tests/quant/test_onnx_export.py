from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from quant.errors import PolicyError
from quant.fake_quant import FakeQuantNet
from quant.graph import Floats
from quant.naive import Arithmetic, NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.onnx_export import export_onnx, run_onnx
from quant.policy import Bits, Policy, from_short_name, uniform
from quant.recipe.sequence import quantize_in_sequence
from quant.saved import SavedQuantizer
from tests.quant.networks import KINDS, case

TYPES16 = frozenset({"Convolution", "InnerProduct", "BinaryOp", "Pooling", "ReLU", "Clip"})
X86 = Capabilities("x86", "bf16", TYPES16)
ARM = Capabilities("arm", "fp16", TYPES16 | {"ConvolutionDepthWise"})


def mixed(kind: str) -> Policy:
    names = case(kind).network.graph.layer_names
    return Policy({name: Bits(b, b) for name, b in zip(names, (8, 16, 32, 8) * 3, strict=False)})


def policy_of(kind: str, name: str) -> Policy:
    if name == "mixed":
        return mixed(kind)
    policy = from_short_name(name, case(kind).network.graph.layer_names)
    assert policy is not None
    return policy


def fake(kind: str, board: Capabilities = X86, arithmetic: Arithmetic = "ncnn") -> FakeQuantNet:
    known = case(kind)
    quantizer = NaiveQuantizer(known.network, known.ranges, arithmetic)
    return FakeQuantNet(known.network.graph, quantizer, board)


def both(net: FakeQuantNet, kind: str, policy: Policy) -> tuple[Floats, Floats]:
    """Logits by onnxruntime and by torch."""
    images = case(kind).images
    model = export_onnx(net, policy).SerializeToString()
    return run_onnx(model, images.numpy(), batch=5), net.logits(images, policy).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_float_export_equals_torch(kind: str) -> None:
    onnx_logits, logits = both(fake(kind), kind, policy_of(kind, "32"))
    np.testing.assert_allclose(onnx_logits, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["8", "16", "mixed"])
@pytest.mark.parametrize("board", [X86, ARM], ids=["bf16", "fp16"])
def test_export_agrees_with_fake_quantization(kind: str, name: str, board: Capabilities) -> None:
    onnx_logits, logits = both(fake(kind, board), kind, policy_of(kind, name))
    check_close(onnx_logits, logits)


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_export_agrees_with_fake_quantization(kind: str) -> None:
    net = fake(kind, arithmetic="simulated")
    check_close(*both(net, kind, policy_of(kind, "w4a6")))


def check_close(onnx_logits: Floats, logits: Floats) -> None:
    """A rounding that falls to the other side moves a logit by part of a step, no more."""
    spread = np.abs(logits).max()
    assert np.abs(onnx_logits - logits).mean() <= 2e-3 * spread
    assert np.abs(onnx_logits - logits).max() <= 2e-2 * spread


def test_integer_layers_hold_integers() -> None:
    net = fake("mobile")
    model = export_onnx(net, policy_of("mobile", "8"))
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    kinds = [node.op_type for node in model.graph.node]
    layers = net.graph.layers
    assert kinds.count("QuantizeLinear") == len(layers)
    assert kinds.count("DequantizeLinear") == 2 * len(layers)
    for layer in layers:
        integers, scales = held[f"{layer.name}.weight.int8"], held[f"{layer.name}.weight.scale"]
        assert integers.dtype == np.int8
        assert integers.shape == layer.weight_shape
        weight = case("mobile").network.weights[layer.name].weight
        steps = scales.reshape(-1, *[1] * (weight.ndim - 1))
        assert np.all(np.abs(integers * steps - weight) <= 0.5001 * steps)
        assert held[f"{layer.name}.input.zero"].dtype == np.int8


def test_every_layer_reads_dequantized_integers() -> None:
    """The operands of each convolution come from DequantizeLinear, as engines expect it."""
    model = export_onnx(fake("residual"), policy_of("residual", "8"))
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.op_type == "Conv":
            assert [makers[name] for name in node.input[:2]] == ["DequantizeLinear"] * 2


def test_float_layers_hold_floats() -> None:
    model = export_onnx(fake("mobile"), policy_of("mobile", "32"))
    assert not {"QuantizeLinear", "DequantizeLinear"} & {n.op_type for n in model.graph.node}
    assert {i.data_type for i in model.graph.initializer} == {onnx.TensorProto.FLOAT}


def test_16_bit_layers_cast() -> None:
    for board, kind in ((X86, onnx.TensorProto.BFLOAT16), (ARM, onnx.TensorProto.FLOAT16)):
        model = export_onnx(fake("mobile", board), policy_of("mobile", "16"))
        targets = {
            a.i for n in model.graph.node if n.op_type == "Cast" for a in n.attribute if a.i != 1
        }
        assert targets == {kind}


def test_unsigned_levels_are_uint8() -> None:
    model = export_onnx(fake("mobile", arithmetic="simulated"), policy_of("mobile", "w4a6"))
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    assert held["depthwise.0.0.input.zero"].dtype == np.uint8
    assert held["last.0.0.input.zero"].dtype == np.int8
    assert np.abs(held["last.0.0.weight.int8"]).max() == 7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["8", "16", "32", "mixed"])
def test_the_checker_passes(kind: str, name: str) -> None:
    data = export_onnx(fake(kind), policy_of(kind, name)).SerializeToString()
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)


def test_names_and_shapes_of_the_ends() -> None:
    graph = export_onnx(fake("odd"), policy_of("odd", "8")).graph
    (images,), (logits,) = graph.input, graph.output
    assert (images.name, logits.name) == ("images", "logits")
    assert [d.dim_value for d in images.type.tensor_type.shape.dim][1:] == [3, 14, 22]
    assert [d.dim_value for d in logits.type.tensor_type.shape.dim][1:] == [10]


def test_a_policy_for_other_layers() -> None:
    with pytest.raises(PolicyError, match="does not fit the network"):
        export_onnx(fake("mobile"), uniform(("other",), 8, 8))


def test_batches_do_not_matter() -> None:
    model = export_onnx(fake("mobile"), policy_of("mobile", "8")).SerializeToString()
    images = torch.cat([case("mobile").images] * 2).numpy()
    one, many = run_onnx(model, images, 7), run_onnx(model, images, 100)
    np.testing.assert_allclose(one, many, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["w4a8", "w4a4"])
def test_spreads_and_offsets_are_exported(kind: str, name: str) -> None:
    known, policy = case(kind), policy_of(kind, name)
    made = quantize_in_sequence(known.network, known.images, policy).layers
    net = FakeQuantNet(known.network.graph, SavedQuantizer(policy, made), X86)
    onnx_logits, logits = both(net, kind, policy)
    assert np.abs(onnx_logits - logits).max() <= 1e-5 * np.abs(logits).max()
