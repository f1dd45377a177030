"""From a torch module to a folded `Network`, by way of torch.fx."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional as F

from quant.errors import ModelError
from quant.fold import fold_batch_norm, layer_weights
from quant.graph import Activation, Graph, Layer, Network, Node, Op, Pool, Weights

IDENTITIES = (nn.Dropout, nn.Identity, nn.Flatten)
ADDITIONS = (operator.add, operator.iadd, torch.add)
FLATTENS = ("flatten", torch.flatten)
ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.ReLU6: "relu6", nn.ReLU: "relu"}
FUNCTIONS: dict[Callable[..., Any], Activation] = {F.relu6: "relu6", F.relu: "relu"}


class LayerTracer(fx.Tracer):
    """Keeps every convolution whole, also subclasses that pad for themselves (`pads`)."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether not to look inside a module."""
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def trace(net: nn.Module, input_shape: tuple[int, int, int]) -> Network:
    """Trace a network in evaluation mode for images of `input_shape` (C, H, W).

    Convolutions, linear layers, batch norms (folded), ReLU and ReLU6 (fused into the layer before
    where nothing else reads it), additions, global average and max pooling are understood.
    Raises ModelError for anything else, and where the shapes do not fit.
    """
    net = net.eval()
    try:
        traced = fx.GraphModule(net, LayerTracer().trace(net))
    except fx.proxy.TraceError as error:
        raise ModelError(f"the network cannot be traced: {one_line(error)}") from None
    try:
        with torch.no_grad():
            ShapeProp(traced).propagate(torch.zeros(1, *input_shape))
    except RuntimeError as error:
        raise ModelError(
            f"the network does not run on inputs of {'x'.join(map(str, input_shape))}: "
            f"{one_line(error)}"
        ) from None
    builder = _Builder(dict(traced.named_modules()))
    for node in traced.graph.nodes:
        builder.visit(node)
    return Network(Graph(tuple(builder.nodes.values())), builder.weights)


def one_line(error: Exception) -> str:
    """The start of an error's text without line breaks."""
    return " ".join(str(error).split())[:120]


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of a traced value for one image."""
    return tuple(node.meta["tensor_meta"].shape[1:])


class _Builder:
    """Turns fx nodes into ours, in order; `names` maps an fx node to our node for its value."""

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        self.modules = modules
        self.nodes: dict[str, Node] = {}
        self.weights: dict[str, Weights] = {}
        self.names: dict[fx.Node, str] = {}

    def visit(self, node: fx.Node) -> None:
        """Take one fx node."""
        if node.op == "placeholder":
            self.add(node, Node(str(node.target), "input", (), shape_of(node)))
        elif node.op == "call_module":
            self.visit_module(node, self.modules[str(node.target)])
        elif node.op in ("call_function", "call_method"):
            self.visit_function(node)
        elif node.op != "output":
            raise ModelError(f"{node.op} of '{node.target}' is not supported")

    def visit_module(self, node: fx.Node, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            self.add_layer(node, module, conv_layer(node, module))
        elif isinstance(module, nn.Linear):
            layer = Layer(str(node.target), "linear", module.in_features, module.out_features)
            self.add_layer(node, module, layer)
        elif isinstance(module, nn.BatchNorm2d):
            self.fold(node, module)
        elif type(module) in ACTIVATIONS:
            self.activate(node, ACTIVATIONS[type(module)])
        elif isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
            self.add(node, self.plain(node, "global_avg_pool", node.name))
        elif isinstance(module, nn.MaxPool2d):
            self.add(node, replace(self.plain(node, "max_pool", node.name), pool=pool(module)))
        elif isinstance(module, IDENTITIES):
            self.names[node] = self.source(node)
        else:
            raise ModelError(f"layer {node.target} ({type(module).__name__}) is not supported")

    def visit_function(self, node: fx.Node) -> None:
        target = node.target
        if target in ADDITIONS:
            self.sum(node)
        elif target in FLATTENS:
            self.names[node] = self.source(node)
        elif callable(target) and target in FUNCTIONS:
            self.activate(node, FUNCTIONS[target])
        else:
            name = getattr(target, "__name__", target)
            raise ModelError(f"operation '{name}' is not supported")

    def source(self, node: fx.Node) -> str:
        return self.names[node.all_input_nodes[0]]

    def plain(self, node: fx.Node, op: Op, name: str) -> Node:
        inputs = tuple(self.names[n] for n in node.args if isinstance(n, fx.Node))
        return Node(name, op, inputs, shape_of(node))

    def sum(self, node: fx.Node) -> None:
        made = self.plain(node, "add", node.name)
        if node.kwargs or [self.nodes[name].shape for name in made.inputs] != [made.shape] * 2:
            raise ModelError(f"operation '{node.name}' is not the sum of two values of one shape")
        self.add(node, made)

    def add(self, node: fx.Node, made: Node) -> None:
        if made.name in self.nodes:
            raise ModelError(f"layer {made.name} is used twice, which is not supported")
        self.nodes[made.name] = made
        self.names[node] = made.name

    def add_layer(self, node: fx.Node, module: nn.Conv2d | nn.Linear, layer: Layer) -> None:
        inputs = (self.source(node),)
        self.add(node, Node(layer.name, layer.op, inputs, shape_of(node), layer))
        self.weights[layer.name] = layer_weights(module)

    def sole_reader_of_layer(self, node: fx.Node) -> Node | None:
        """The layer before `node`, if `node` alone reads it and it has no activation yet."""
        before = self.nodes[self.source(node)]
        alone = len(node.all_input_nodes[0].users) == 1
        free = before.layer is not None and before.layer.activation == "none"
        return before if alone and free else None

    def fold(self, node: fx.Node, norm: nn.BatchNorm2d) -> None:
        before = self.sole_reader_of_layer(node)
        if before is None:
            raise ModelError(f"batch norm {node.target} does not follow a convolution directly")
        self.weights[before.name] = fold_batch_norm(self.weights[before.name], norm)
        self.names[node] = before.name

    def activate(self, node: fx.Node, activation: Activation) -> None:
        before = self.sole_reader_of_layer(node)
        if before is None or before.layer is None or activation == "none":
            self.add(
                node, self.plain(node, "relu6" if activation == "relu6" else "relu", node.name)
            )
            return
        fused = replace(before, layer=replace(before.layer, activation=activation))
        self.nodes[before.name] = fused
        self.names[node] = before.name


def conv_layer(node: fx.Node, conv: nn.Conv2d) -> Layer:
    """Geometry of a convolution; `pads` of a self-padding subclass win over torch's padding."""
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise ModelError(f"layer {node.target}: only zero padding of given width is supported")
    vertical, horizontal = conv.padding
    pads = getattr(conv, "pads", (horizontal, horizontal, vertical, vertical))
    in_shape, out_shape = shape_of(node.all_input_nodes[0]), shape_of(node)
    return Layer(
        name=str(node.target),
        op="conv",
        c_in=conv.in_channels,
        c_out=conv.out_channels,
        kernel=pair(conv.kernel_size),
        stride=pair(conv.stride),
        pads=pads,
        dilation=pair(conv.dilation),
        groups=conv.groups,
        in_size=pair(in_shape[1:]),
        out_size=pair(out_shape[1:]),
    )


def pool(module: nn.MaxPool2d) -> Pool:
    """Geometry of a max pool with torch's floor rule."""
    if module.ceil_mode or pair(module.dilation) != (1, 1):
        raise ModelError("max pooling with ceil_mode or dilation is not supported")
    vertical, horizontal = pair(module.padding)
    return Pool(
        pair(module.kernel_size),
        pair(module.stride),
        (horizontal, horizontal, vertical, vertical),
    )


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """(a, b) from a number or a pair."""
    if isinstance(value, int):
        return value, value
    return value[0], value[1]
