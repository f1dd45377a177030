"""From a folded network to float ncnn layers, and from these and a policy to a mixed network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from quant.errors import PolicyError
from quant.graph import Graph, Layer, Network, Node, Weights
from quant.ncnn import arithmetic, attention
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.centre import centre, centred_inputs
from quant.ncnn.engine_graph import engine_graph
from quant.ncnn.format import (
    INT8_TERM_KEY,
    REQUANTIZE_TERM,
    NcnnLayer,
    Payload,
    Value,
    dump_bin,
    dump_param,
)
from quant.ncnn.grouped import as_run
from quant.ncnn.operations import operation_layer
from quant.ncnn.plan import Plan, plan_precision, readers, requantized
from quant.ncnn.weights import activation_scale, to_codebook, to_half, to_int8
from quant.ncnn.writing import Writing
from quant.shared import Clusters, SharedLayers, to_network

INPUT_BLOB, OUTPUT_BLOB = "in0", "out0"
ACTIVATION_PARAMS: dict[str, dict[int, Value]] = {
    "none": {},
    "relu": {9: 1},
    "relu6": {9: 3, 10: (0.0, 6.0)},
}
SEVERAL = {**attention.SEVERAL, **arithmetic.SEVERAL}
"""Nodes that take several layers."""


def float_layers(network: Network) -> list[NcnnLayer]:
    """ncnn layers of a network with float32 weights; names of layers and blobs are the graph's.

    A blob with several readers goes through a Split, as ncnn demands.
    """
    graph = engine_graph(network.graph)
    blobs = blob_names(graph)
    weights = network.weights
    return insert_splits(
        [
            layer
            for node in graph.nodes
            for layer in ncnn_layers(node, blobs, weights.get(node.name))
        ]
    )


def shared_layers(graph: Graph, shared: SharedLayers) -> list[NcnnLayer]:
    """`float_layers` of shared weights, with a codebook and an index of a byte for each weight.

    ncnn computes them in float32: fewer than 8 bits save nothing more there.
    """
    return [share(layer, shared) for layer in float_layers(to_network(graph, shared))]


def share(layer: NcnnLayer, shared: SharedLayers) -> NcnnLayer:
    """One layer with its codebook if it has one."""
    found = shared.get(layer.name)
    if found is None or not isinstance(found.weight, Clusters):
        return layer
    return replace(layer, payload=to_codebook(found.bias, found.weight))


def structure(graph: Graph) -> list[NcnnLayer]:
    """`float_layers` without the weights of layers: enough to plan precisions."""
    graph = engine_graph(graph)
    blobs = blob_names(graph)
    return insert_splits(
        [layer for node in graph.nodes for layer in ncnn_layers(node, blobs, None)]
    )


def blob_names(graph: Graph) -> dict[str, str]:
    """Node name -> blob name."""
    names = {node.name: node.name for node in graph.nodes}
    return {**names, graph.nodes[0].name: INPUT_BLOB, graph.nodes[-1].name: OUTPUT_BLOB}


def ncnn_layers(node: Node, blobs: Mapping[str, str], weights: Weights | None) -> list[NcnnLayer]:
    """One node as ncnn layers; the last of several gives its value."""
    inputs = tuple(blobs[name] for name in node.inputs)
    if node.op in SEVERAL:
        return SEVERAL[node.op](Writing(node, inputs, blobs[node.name]))
    if node.layer is None:
        return [operation_layer(node, inputs, blobs[node.name])]
    type_, params = weighted_type(node.layer)
    payload = Payload(weights.weight.ravel(), weights.bias) if weights else None
    return [NcnnLayer(type_, node.name, inputs, (blobs[node.name],), params, payload)]


def weighted_type(layer: Layer) -> tuple[str, dict[int, Value]]:
    """Convolution, ConvolutionDepthWise (any grouped one), InnerProduct, or a product's MatMul."""
    if layer.is_product:
        return "MatMul", {}
    activation = ACTIVATION_PARAMS[layer.activation]
    if layer.op == "linear":
        return "InnerProduct", {0: layer.c_out, 1: 1, 2: layer.weight_count, **activation}
    left, right, top, bottom = layer.pads
    params: dict[int, Value] = {
        **{0: layer.c_out, 1: layer.kernel[1], 11: layer.kernel[0]},
        **{2: layer.dilation[1], 12: layer.dilation[0], 3: layer.stride[1], 13: layer.stride[0]},
        **{4: left, 14: top, 15: right, 16: bottom, 5: 1, 6: layer.weight_count},
        **activation,
    }
    if layer.groups == 1:
        return "Convolution", params
    return "ConvolutionDepthWise", {**params, 7: layer.groups}


def insert_splits(layers: Sequence[NcnnLayer]) -> list[NcnnLayer]:
    """Give every reader of a shared blob a copy of its own."""
    counts = {blob: len(found) for blob, found in readers(layers).items()}
    copies = {b: [f"{b}_copy{i}" for i in range(n)] for b, n in counts.items() if n > 1}
    unused = {blob: list(names) for blob, names in copies.items()}
    result = []
    for layer in layers:
        inputs = tuple(unused[b].pop(0) if b in unused else b for b in layer.inputs)
        result.append(replace(layer, inputs=inputs))
        for blob in layer.outputs:
            if blob in copies:
                result.append(NcnnLayer("Split", f"{blob}_split", (blob,), tuple(copies[blob])))
    return result


def plan_policy(
    layers: Sequence[NcnnLayer],
    bits: Mapping[str, int],
    ranges: Mapping[str, float],
    capabilities: Capabilities,
) -> Plan:
    """Masks, Casts and blob widths of a policy. `ranges` are input thresholds by layer name."""
    bits = as_run(layers, bits)
    scales = input_scales(layers, bits, ranges)
    return plan_precision(layers, bits, capabilities, requantized(layers, bits, scales))


def input_scales(
    layers: Sequence[NcnnLayer], bits: Mapping[str, int], ranges: Mapping[str, float]
) -> dict[str, float]:
    """Input scale of every int8 layer; twice as fine where the input is centred.

    Raises PolicyError for a layer without bits or range.
    """
    names = [layer.name for layer in layers if layer.is_weighted]
    missing = [name for name in names if name not in bits]
    if missing:
        raise PolicyError(f"the policy has no bits for layer {missing[0]}")
    unknown = sorted(set(bits) - set(names) - products(layers))
    if unknown:
        raise PolicyError(f"the network has no layer {unknown[0]}")
    low = [name for name in names if bits[name] == 8]
    without = [name for name in low if name not in ranges]
    if without:
        raise PolicyError(f"layer {without[0]} has 8 bits but no activation range")
    centred = centred_inputs(layers, bits)
    return {
        name: activation_scale(ranges[name] / 2 if name in centred else ranges[name])
        for name in low
    }


def products(layers: Sequence[NcnnLayer]) -> set[str]:
    """Names of the products, which ncnn computes in float32 at any bits."""
    return {layer.name for layer in layers if layer.type == "MatMul"}


def mixed_layers(
    layers: Sequence[NcnnLayer],
    bits: Mapping[str, int],
    ranges: Mapping[str, float],
    capabilities: Capabilities,
) -> list[NcnnLayer]:
    """The mixed network: weights at their bits, scale terms, masks and Casts.

    Scale terms: 2 for Convolution and InnerProduct, 1 for ConvolutionDepthWise (a scale a group),
    and 100 more where the output is requantized to int8. Inputs behind ReLUs are centred.
    Layers for which ncnn has no 8 bits stay in float32 (`quant.ncnn.grouped`).
    """
    bits = as_run(layers, bits)
    scales = input_scales(layers, bits, ranges)
    fused = requantized(layers, bits, scales)
    plan = plan_precision(layers, bits, capabilities, fused)
    made = [at_bits(layer, bits.get(layer.name, 32), scales, fused) for layer in plan.layers]
    return centre(made, centred_inputs(layers, bits))


def at_bits(
    layer: NcnnLayer, bits: int, scales: Mapping[str, float], fused: Mapping[str, float]
) -> NcnnLayer:
    """One layer with its weights at 8, 16 or 32 bits."""
    if layer.payload is None or bits == 32:
        return layer
    if bits == 16:
        return replace(layer, payload=to_half(layer.payload))
    term = 1 if layer.type == "ConvolutionDepthWise" else 2
    output = fused.get(layer.name)
    payload = to_int8(layer.payload, layer.scale_count, scales[layer.name], output)
    term += 0 if output is None else REQUANTIZE_TERM
    return replace(layer, params={**layer.params, INT8_TERM_KEY: term}, payload=payload)


def dump(layers: Sequence[NcnnLayer]) -> tuple[str, bytes]:
    """Text of the `.param` and bytes of the `.bin`."""
    return dump_param(layers), dump_bin(layers)
