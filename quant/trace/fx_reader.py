"""Reads a torch module by way of torch.fx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate, map_arg

from quant.errors import ModelError, one_line
from quant.graph import Network
from quant.trace.arranged import settle
from quant.trace.builder import Builder
from quant.trace.call import Call
from quant.trace.ends import inputs_refused, refused
from quant.trace.functions import FUNCTIONS
from quant.trace.modules import reader_of
from quant.trace.nodes import written
from quant.trace.seen import IMAGES, Seen
from quant.trace.seen import refused as moved_axes
from quant.trace.token_functions import TOKEN_FUNCTIONS
from quant.trace.token_modules import reader_of as token_reader_of


class LayerTracer(fx.Tracer):
    """Keeps every convolution whole, also subclasses that pad for themselves (`pads`)."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether not to look inside a module."""
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


class Recorder(fx.Interpreter):
    """Runs a traced network; `values` are those of its fx nodes, tensors without their numbers.

    `constants` are the tensors that do not depend on the image.
    """

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}
        self.constants: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Value of one node."""
        value = super().run_node(n)
        self.values[n] = map_aggregate(value, without_numbers)
        if self.is_constant(n):
            self.constants[n] = value
        return value

    def is_constant(self, n: fx.Node) -> bool:
        """Whether a node is a parameter, or computed from such alone and from sizes."""
        read = [source for source in n.all_input_nodes if holds_tensors(self.values[source])]
        computed = bool(read) and all(source in self.constants for source in read)
        return n.op == "get_attr" or (n.op in ("call_function", "call_method") and computed)


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
    reader = _Reader(traced, run(traced, input_shape))
    for node in traced.graph.nodes:
        reader.visit(node)
    return reader.finished()


def refuse_several(graph: fx.Graph) -> None:
    """Raise ModelError where there is more than one input."""
    inputs = [str(node.target) for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise inputs_refused(inputs)


def run(traced: fx.GraphModule, input_shape: tuple[int, int, int]) -> Recorder:
    """What every fx node gives for images of zeros. Raises ModelError where the network fails."""
    recorder = Recorder(traced)
    try:
        with torch.no_grad():
            recorder.run(torch.zeros(IMAGES, *input_shape))
    except Exception as error:
        # The network's own code: it may assert, or look for what is not there.
        raise ModelError(
            f"the network does not run on inputs of {written(input_shape)}: {one_line(error)}"
        ) from None
    return recorder


class _Reader:
    """Hands fx nodes to the builder; `names` are what it calls the tensors that these give.

    What gives no tensor, as sizes do, is kept as it is, and so is what is constant.
    """

    def __init__(self, traced: fx.GraphModule, recorded: Recorder) -> None:
        self.modules = dict(traced.named_modules())
        self.values, self.constants = recorded.values, recorded.constants
        self.builder = Builder()
        self.names: dict[fx.Node, Any] = {}

    def visit(self, node: fx.Node) -> None:
        """Take one fx node."""
        if node.op == "placeholder":
            shape = tuple(self.values[node].shape[1:])
            self.names[node] = self.builder.image(str(node.target), shape)
        elif node in self.constants:
            self.names[node] = self.constants[node]
        elif node.op == "call_module":
            self.names[node] = self.module(node, str(node.target))
        elif node.op in ("call_function", "call_method"):
            self.names[node] = self.function(node)
        elif node.op == "output":
            self.names[node] = node.args[0]
        else:
            raise ModelError(f"{node.op} of '{node.target}' is not supported")

    def module(self, node: fx.Node, name: str) -> Any:
        """Names of what a module gives."""
        module, call = self.modules[name], self.call(node)
        if reads_tokens(call):
            return self.settle(node, token_reader_of(name, module)(call, module))
        return reader_of(name, module)(call, module)

    def function(self, node: fx.Node) -> Any:
        """Names of what a function or a method gives, or the value that is no tensor."""
        if not holds_tensors(self.values[node]):
            return self.values[node]
        name, call = str(getattr(node.target, "__name__", node.target)), self.call(node)
        if reads_tokens(call):
            if name not in TOKEN_FUNCTIONS:
                raise ModelError(f"operation '{name}' is not supported on tokens")
            return self.settle(node, TOKEN_FUNCTIONS[name](call))
        if name not in FUNCTIONS:
            raise ModelError(f"operation '{name}' is not supported")
        refuse_constants(node, self.constants)
        return FUNCTIONS[name](call)

    def settle(self, node: fx.Node, value: Any) -> Any:
        """A value whose axes were moved as a node, if it is one."""
        return settle(self.builder, node.name, value)

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
            scope_of(node),
        )

    def finished(self) -> Network:
        """The network, when all nodes were taken."""
        output = next(iter(reversed(self.names)))
        found = output.args[0]
        if not isinstance(found, fx.Node) or not isinstance(self.values[found], Tensor):
            raise refused("gives several outputs")
        value = self.names[found]
        if isinstance(value, Seen):
            raise moved_axes(value)
        return self.builder.finish(value, tuple(self.values[found].shape[1:]))


def reads_tokens(call: Call) -> bool:
    """Whether a call reads a value whose axes were moved, or a part of such a value."""
    lists = [arg if isinstance(arg, list | tuple) else [arg] for arg in call.args]
    return any(isinstance(part, Seen) for parts in lists for part in parts)


def refuse_constants(node: fx.Node, constants: Mapping[fx.Node, Any]) -> None:
    """Raise ModelError where an operation of images reads what does not depend on them."""
    for source in node.all_input_nodes:
        while source in constants:
            if source.op == "get_attr":
                raise ModelError(f"get_attr of '{source.target}' is not supported")
            source = next(read for read in source.all_input_nodes if read in constants)


def scope_of(node: fx.Node) -> str:
    """Name of the module that calls a function, empty where that is the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    names = [name for name, _ in stack.values()]
    return str(names[-1]) if names else ""


def holds_tensors(value: Any) -> bool:
    """Whether a value is a tensor, or has some in it."""
    found: list[Any] = []
    map_aggregate(value, found.append)
    return any(isinstance(part, Tensor) for part in found)
