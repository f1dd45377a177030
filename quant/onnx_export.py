"""ONNX of a network under a policy: QuantizeLinear / DequantizeLinear around integer layers.

A Clip before each QuantizeLinear keeps its input inside the policy's levels (ncnn's lowest is
-127, and fewer than 8 bits live in int8). Rounding differs from ncnn's in exact halves only, which
ONNX sends to the even neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from quant.fake_quant import FakeQuantNet
from quant.graph import Floats, Layer, Node
from quant.onnx_attention import write_product
from quant.onnx_nodes import OnnxNodes
from quant.onnx_operations import write_operation
from quant.onnx_pixels import onnx_pads
from quant.policy import Policy
from quant.quantized import InputLevels, QuantizedLayer

OPSET = 19
IR_VERSION = 10
INPUT, OUTPUT = "images", "logits"
PRODUCER = "haq"


def export_onnx(net: FakeQuantNet, policy: Policy) -> onnx.ModelProto:
    """A checked model with input `images` (N, C, H, W) float32 and output `logits` (N, classes).

    Raises PolicyError where the policy does not fit the network.
    """
    policy.check_names(net.graph.layer_names)
    writer = _Writer(net, policy)
    for node in net.graph.nodes:
        writer.write(node)
    model = helper.make_model(
        writer.graph(), producer_name=PRODUCER, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


class _Writer(OnnxNodes):
    """Collects ONNX nodes; `values` maps a node of the graph to the tensor that holds its value."""

    def __init__(self, net: FakeQuantNet, policy: Policy) -> None:
        super().__init__()
        self.net, self.policy = net, policy
        self.layers = net.layers(policy)
        self.widths = net.node_widths(policy)
        self.values: dict[str, str] = {}

    def write(self, node: Node) -> None:
        """Append the ONNX nodes of one node of the graph."""
        inputs = [self.values[name] for name in node.inputs]
        if node.op == "input":
            value = INPUT
        elif node.layer is not None and node.layer.is_product:
            value = self.product(node.layer, *inputs)
        elif node.layer is not None:
            value = self.layer(node.layer, inputs[0])
        else:
            value = write_operation(self, node, inputs)
        if self.widths.get(node.name) == 16:
            value = self.round16(value, node.name)
        self.values[node.name] = value

    def graph(self) -> onnx.GraphProto:
        """The finished graph."""
        last = self.net.graph.nodes[-1]
        self.nodes.append(
            helper.make_node(
                "Identity", [self.values[last.name]], [OUTPUT], f"{last.name}.{OUTPUT}"
            )
        )
        inputs = [describe(INPUT, self.net.graph.input_shape)]
        outputs = [describe(OUTPUT, last.shape)]
        return helper.make_graph(self.nodes, PRODUCER, inputs, outputs, self.initializers)

    def layer(self, layer: Layer, x: str) -> str:
        """Quantized input and weights, the operation, the activation."""
        quantized = self.layers[layer.name]
        if layer.op == "linear":
            x = self.node("Flatten", [x], f"{layer.name}.flatten")
        x = self.quantized_input(layer, x, quantized)
        weight = self.quantized_weight(layer, quantized)
        bias = self.constant(f"{layer.name}.bias", quantized.bias)
        if layer.op == "linear":
            y = self.node("Gemm", [x, weight, bias], layer.name, transB=1)
        else:
            y = self.node("Conv", [x, weight, bias], layer.name, **conv_attributes(layer))
        if layer.activation == "relu6":
            return self.clip(y, 0.0, 6.0, f"{layer.name}.relu6")
        return self.node("Relu", [y], f"{layer.name}.relu") if layer.activation == "relu" else y

    def product(self, layer: Layer, one: str, other: str) -> str:
        """A product of two quantized values."""
        made, name = self.layers[layer.name], layer.name
        if made.input is not None:
            one = self.quantize_dequantize(layer, one, made.input, f"{name}.first")
        if made.second is not None:
            other = self.quantize_dequantize(layer, other, made.second, f"{name}.second")
        return write_product(self, layer, one, other)

    def quantized_input(self, layer: Layer, x: str, quantized: QuantizedLayer) -> str:
        name = f"{layer.name}.input"
        bits = self.policy[layer.name].activation
        if bits == 16 and self.net.computes16(layer):
            return self.round16(x, name)
        levels = quantized.input
        return x if levels is None else self.quantize_dequantize(layer, x, levels, name)

    def quantize_dequantize(self, layer: Layer, x: str, levels: InputLevels, name: str) -> str:
        x = self.without_spread(layer, x, levels, name)
        step = 1.0 / levels.scale
        clipped = self.clip(x, levels.low * step, levels.high * step, f"{name}.clip")
        kind = np.int8 if levels.low < 0 else np.uint8
        scale = self.constant(f"{name}.scale", np.array(step, np.float32))
        zero = self.constant(f"{name}.zero", np.array(0, kind))
        integers = self.node("QuantizeLinear", [clipped, scale, zero], f"{name}.quantize")
        return self.node("DequantizeLinear", [integers, scale, zero], f"{name}.dequantize")

    def without_spread(self, layer: Layer, x: str, levels: InputLevels, name: str) -> str:
        """(x - offset) / spread, channel by channel: the weights hold the spread."""
        shape = (1, -1) if layer.op == "linear" else (1, -1, 1, 1)
        if levels.offset is not None:
            offset = self.constant(f"{name}.offset", levels.offset.reshape(shape))
            x = self.node("Sub", [x, offset], f"{name}.shift")
        if levels.spread is not None:
            spread = self.constant(f"{name}.spread", levels.spread.reshape(shape))
            x = self.node("Div", [x, spread], f"{name}.even")
        return x

    def quantized_weight(self, layer: Layer, quantized: QuantizedLayer) -> str:
        name = f"{layer.name}.weight"
        scales = quantized.weight_scale
        if scales is None:
            return self.constant(name, quantized.weight)
        integers = self.constant(f"{name}.int8", quantized.weight.astype(np.int8))
        steps = self.constant(f"{name}.scale", (1.0 / scales).astype(np.float32))
        zeros = self.constant(f"{name}.zero", np.zeros(len(scales), np.int8))
        return self.node("DequantizeLinear", [integers, steps, zeros], name, axis=0)

    def round16(self, x: str, name: str) -> str:
        half = self.net.capabilities.bits16 == "fp16"
        to = TensorProto.FLOAT16 if half else TensorProto.BFLOAT16
        narrow = self.node("Cast", [x], f"{name}.to16", to=to)
        return self.node("Cast", [narrow], f"{name}.from16", to=TensorProto.FLOAT)


def describe(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    """A float32 tensor of a free number of images of `shape`."""
    dims: list[str | int] = ["batch", *shape]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def conv_attributes(layer: Layer) -> Mapping[str, Any]:
    """Attributes of ONNX's Conv; see `onnx_pads` for its pads."""
    return {
        "kernel_shape": layer.kernel,
        "strides": layer.stride,
        "dilations": layer.dilation,
        "group": layer.groups,
        "pads": onnx_pads(layer.pads),
    }


def run_onnx(model: bytes, images: Floats, batch: int = 100) -> Floats:
    """Logits (N, classes) by onnxruntime with graph optimizations off.

    Off, because on x86 without VNNI its fused integer kernels may saturate, and then would not
    compute what the file says.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    starts = range(0, len(images), batch)
    parts = [session.run([OUTPUT], {INPUT: images[i : i + batch]})[0] for i in starts]
    return np.concatenate(parts)
