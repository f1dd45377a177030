"""Reads a program of torch.export: a file, or a module that torch.fx cannot trace."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quant.errors import ModelError
from quant.graph import Network
from quant.trace.aten_operations import ATEN, FOLDED, PLAIN
from quant.trace.builder import Builder, written
from quant.trace.call import Call
from quant.trace.pending import Pending
from quant.trace.program import Constant, Operation, Program, Ref
from quant.trace.program_file import read_program, read_stream

IMAGES = 2
"""Images of the example: with a single one, a view could mean several things."""
PREFIX = "torch.ops.aten."


def read_pt2(path: Path) -> Network:
    """A file of `torch.export.save`, folded and fused as `trace` does; nothing of it is run.

    Layers have the names of their weights in the module, less `.weight`. Raises ModelError for what
    is not supported, naming it.
    """
    return _Reader(read_program(path)).network()


def export(net: nn.Module, input_shape: tuple[int, int, int]) -> Network:
    """A module by way of torch.export, for images (C, H, W). Raises ModelError."""
    stream = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(net.eval(), (torch.zeros(IMAGES, *input_shape),))
            torch.export.save(program, stream)
    except Exception as error:
        # A network may do anything that torch.export does not understand.
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"the network cannot be exported for inputs of {written(input_shape)}: {reason[:160]}"
        ) from None
    stream.seek(0)
    return _Reader(read_stream(stream, "the exported network")).network()


class _Reader:
    """Hands operations to the builder; `names` are what it calls the tensors of the program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pending = Pending(Builder())
        self.names: dict[str, Any] = dict(program.constants)

    def network(self) -> Network:
        """The network of all operations."""
        image, output = self.program.image, self.program.output
        self.names[image] = self.pending.builder.image(image, self.shape(image))
        for operation in self.program.operations:
            self.visit(operation)
        if isinstance(self.names[output], Constant):
            raise ModelError(f"output {output} does not depend on the image")
        found = self.pending.plain(self.names[output])
        return self.pending.builder.finish(found, self.shape(output))

    def visit(self, operation: Operation) -> None:
        """Take one operation; those that give no tensors only look at sizes."""
        if not operation.outputs:
            return
        made = self.made(operation)
        values = made if operation.many else (made,)
        self.names.update(zip(operation.outputs, values, strict=False))

    def made(self, operation: Operation) -> Any:
        """What an operation gives. Raises ModelError."""
        word = operation.target.removeprefix(PREFIX).partition(".")[0]
        name = word if word in ATEN or word in PLAIN else word.rstrip("_")
        known = operation.target.startswith(PREFIX)
        if self.reads_constants(operation):
            if known and name in FOLDED:
                return FOLDED[name](*self.resolved(operation.args))
            raise ModelError(f"operation '{word}' reads constants alone, which is not supported")
        if known and name in ATEN:
            return ATEN[name](self.pending, self.call(operation, name, self.names.__getitem__))
        if known and name in PLAIN:
            return PLAIN[name](self.call(operation, name, self.plain))
        raise ModelError(f"operation '{word}' is not supported")

    def reads_constants(self, operation: Operation) -> bool:
        """Whether no tensor that it reads depends on the image."""
        lists = [arg if isinstance(arg, list) else [arg] for arg in operation.args]
        read = [self.names[arg.name] for args in lists for arg in args if isinstance(arg, Ref)]
        return bool(read) and all(isinstance(value, Constant) for value in read)

    def resolved(self, args: tuple[Any, ...]) -> list[Any]:
        """Arguments with values for names."""
        return [self.names[arg.name] if isinstance(arg, Ref) else arg for arg in args]

    def plain(self, name: str) -> Any:
        """The node that holds a tensor. Raises ModelError for a constant."""
        value = self.names[name]
        if isinstance(value, Constant):
            raise ModelError(f"the constant {value.name} is used as an image: not supported")
        return self.pending.plain(value)

    def call(self, operation: Operation, name: str, find: Any) -> Call:
        """An operation as its reader takes it; `find` gives what a tensor's name stands for."""
        results = [self.meta(output) for output in operation.outputs]
        return Call(
            self.pending.builder,
            operation.outputs[0],
            name,
            tuple(mapped(arg, find) for arg in operation.args),
            {key: mapped(value, find) for key, value in operation.kwargs.items()},
            tuple(mapped(arg, self.meta) for arg in operation.args),
            results if operation.many else results[0],
        )

    def meta(self, name: str) -> Any:
        """A tensor of one image without numbers, or the constant."""
        if isinstance(self.names.get(name), Constant):
            return self.names[name]
        return torch.empty(IMAGES, *self.shape(name), device="meta")

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape for one image. Raises ModelError."""
        shape = self.program.shapes[name]
        if shape is None:
            raise ModelError(
                f"'{name}' mixes the images of a batch, or its size is not fixed: export the "
                "network for images of one size"
            )
        return shape


def mapped(arg: Any, find: Any) -> Any:
    """An argument with what `find` gives for each tensor."""
    if isinstance(arg, Ref):
        return find(arg.name)
    return [mapped(part, find) for part in arg] if isinstance(arg, list) else arg
