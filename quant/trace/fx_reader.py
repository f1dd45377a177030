"""Reads a torch module by way of torch.fx."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate, map_arg

from quant.errors import ModelError, one_line
from quant.graph import Network
from quant.trace.builder import Builder, written
from quant.trace.call import Call
from quant.trace.ends import inputs_refused, refused
from quant.trace.functions import FUNCTIONS
from quant.trace.modules import reader_of

IMAGES = 2
"""Images of the run that tells the shapes: with a single one, a view could mean several things."""


class LayerTracer(fx.Tracer):
    """Keeps every convolution whole, also subclasses that pad for themselves (`pads`)."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether not to look inside a module."""
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


class Recorder(fx.Interpreter):
    """Runs a traced network; `values` are those of its fx nodes, tensors without their numbers."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Value of one node."""
        value = super().run_node(n)
        self.values[n] = map_aggregate(value, without_numbers)
        return value


def without_numbers(value: Any) -> Any:
    """A tensor of the same shape that takes no memory; all else as it is."""
    return value.to("meta") if isinstance(value, Tensor) else value


def trace(net: nn.Module, input_shape: tuple[int, int, int]) -> Network:
    """Trace a network in evaluation mode for images of `input_shape` (C, H, W).

    Batch norms are folded and ReLUs fused into the layer before them, where nothing else reads it;
    dropout and other identities vanish. Raises ModelError for what is not supported, naming it, and
    where the shapes do not fit.
    """
    net = net.eval()
    try:
        traced = fx.GraphModule(net, LayerTracer().trace(net))
    except Exception as error:
        # What a network does with the stand-in for its image may fail in any way.
        raise ModelError(f"the network cannot be traced: {one_line(error)}") from None
    refuse_several(traced.graph)
    reader = _Reader(traced, record(traced, input_shape))
    for node in traced.graph.nodes:
        reader.visit(node)
    return reader.finished()


def refuse_several(graph: fx.Graph) -> None:
    """Raise ModelError where there is more than one input."""
    inputs = [str(node.target) for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise inputs_refused(inputs)


def record(traced: fx.GraphModule, input_shape: tuple[int, int, int]) -> dict[fx.Node, Any]:
    """What every fx node gives for images of zeros. Raises ModelError where the network fails."""
    recorder = Recorder(traced)
    try:
        with torch.no_grad():
            recorder.run(torch.zeros(IMAGES, *input_shape))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(
            f"the network does not run on inputs of {written(input_shape)}: {one_line(error)}"
        ) from None
    return recorder.values


class _Reader:
    """Hands fx nodes to the builder; `names` are what it calls the tensors that these give.

    What gives no tensor, as sizes do, is kept as it is.
    """

    def __init__(self, traced: fx.GraphModule, values: dict[fx.Node, Any]) -> None:
        self.modules = dict(traced.named_modules())
        self.values = values
        self.builder = Builder()
        self.names: dict[fx.Node, Any] = {}

    def visit(self, node: fx.Node) -> None:
        """Take one fx node."""
        if node.op == "placeholder":
            shape = tuple(self.values[node].shape[1:])
            self.names[node] = self.builder.image(str(node.target), shape)
        elif node.op == "call_module":
            module = self.modules[str(node.target)]
            self.names[node] = reader_of(str(node.target), module)(self.call(node), module)
        elif node.op in ("call_function", "call_method"):
            self.names[node] = self.function(node)
        elif node.op == "output":
            self.names[node] = node.args[0]
        else:
            raise ModelError(f"{node.op} of '{node.target}' is not supported")

    def function(self, node: fx.Node) -> Any:
        """Names of what a function or a method gives, or the value that is no tensor."""
        if not holds_tensors(self.values[node]):
            return self.values[node]
        name = str(getattr(node.target, "__name__", node.target))
        if name not in FUNCTIONS:
            raise ModelError(f"operation '{name}' is not supported")
        return FUNCTIONS[name](self.call(node))

    def call(self, node: fx.Node) -> Call:
        """A node as its reader takes it."""
        return Call(
            self.builder,
            node.name,
            str(node.target),
            map_arg(node.args, self.names.__getitem__),
            map_arg(node.kwargs, self.names.__getitem__),
            map_arg(node.args, self.values.__getitem__),
            self.values[node],
        )

    def finished(self) -> Network:
        """The network, when all nodes were taken."""
        output = next(iter(reversed(self.names)))
        found = output.args[0]
        if not isinstance(found, fx.Node) or not isinstance(self.values[found], Tensor):
            raise refused("gives several outputs")
        return self.builder.finish(self.names[found], tuple(self.values[found].shape[1:]))


def holds_tensors(value: Any) -> bool:
    """Whether a value is a tensor, or has some in it."""
    found: list[Any] = []
    map_aggregate(value, found.append)
    return any(isinstance(part, Tensor) for part in found)
