"""Reads a program of torch.export: a file, or a module that torch.fx cannot trace."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from quant.errors import ModelError
from quant.graph import Network
from quant.trace.arranged import settle
from quant.trace.aten_constants import FOLDED
from quant.trace.aten_operations import ATEN, PLAIN
from quant.trace.aten_tokens import ATEN_TOKENS, WITH_WEIGHTS
from quant.trace.builder import Builder
from quant.trace.call import Call
from quant.trace.nodes import written
from quant.trace.pending import Pending
from quant.trace.program import Constant, Operation, Program, Ref
from quant.trace.program_file import read_program, read_stream
from quant.trace.seen import IMAGES, Seen
from quant.trace.stacked import Stacked, add_up

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
        with silence():
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


@contextmanager
def silence() -> Iterator[None]:
    """No warnings, and no log of torch's: what goes wrong is one error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


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
        name = name_of(word)
        known = operation.target.startswith(PREFIX)
        if self.reads_constants(operation):
            find = self.names.__getitem__
            if known and name in FOLDED:
                values = {key: mapped(arg, find) for key, arg in operation.kwargs.items()}
                return FOLDED[name](*(mapped(arg, find) for arg in operation.args), **values)
            raise ModelError(f"operation '{word}' reads constants alone, which is not supported")
        if known and name == "stack":
            return self.stack(operation)
        if known and name == "sum":
            return self.total(operation)
        if known and self.reads_tokens(operation):
            return self.of_tokens(operation, word, name)
        if known and name in ATEN:
            return ATEN[name](self.pending, self.call(operation, name, self.names.__getitem__))
        if known and name in PLAIN:
            return PLAIN[name](self.call(operation, name, self.plain))
        raise ModelError(f"operation '{word}' is not supported")

    def stack(self, operation: Operation) -> Stacked:
        """Images along a new axis: stack(list, axis)."""
        values, axis = [*operation.args, 0][:2]
        found = tuple(mapped(values, self.names.__getitem__))
        return Stacked(operation.outputs[0], found, operation.kwargs.get("dim", axis))

    def total(self, operation: Operation) -> str:
        """The sum over the axis of a stack: sum(stack, axes). Raises ModelError for other sums."""
        (stacked, *_), axes = self.read(operation), operation.args[1:]
        if not isinstance(stacked, Stacked) or axes != ([stacked.axis],) or operation.kwargs:
            raise ModelError(f"operation '{operation.outputs[0]}' is no sum of a stack of images")
        images = tuple(self.pending.plain(value) for value in stacked.values)
        return add_up(self.pending.builder, operation.outputs[0], images)

    def of_tokens(self, operation: Operation, word: str, name: str) -> Any:
        """What an operation on tokens gives. Raises ModelError."""
        if name in WITH_WEIGHTS:
            find = self.names.__getitem__
            return WITH_WEIGHTS[name](self.call(operation, name, find, self.of_any_shape))
        if name in ATEN_TOKENS:
            call = self.call(operation, name, self.tokens, self.of_any_shape)
            return settle(self.pending.builder, operation.outputs[0], ATEN_TOKENS[name](call))
        raise ModelError(f"operation '{word}' is not supported on tokens")

    def tokens(self, name: str) -> Any:
        """What an operation on tokens reads: tokens, a node, or a constant as torch's tensor."""
        value = self.names[name]
        if isinstance(value, Constant):
            return torch.from_numpy(np.array(value.value))
        return value if isinstance(value, Seen | tuple) else self.pending.plain(value)

    def read(self, operation: Operation) -> list[Any]:
        """The values of the tensors that an operation reads."""
        lists = [arg if isinstance(arg, list) else [arg] for arg in operation.args]
        return [self.names[arg.name] for args in lists for arg in args if isinstance(arg, Ref)]

    def reads_tokens(self, operation: Operation) -> bool:
        """Whether it reads a value whose axes were moved."""
        return any(isinstance(value, Seen) for value in self.read(operation))

    def reads_constants(self, operation: Operation) -> bool:
        """Whether no tensor that it reads depends on the image."""
        read = self.read(operation)
        return bool(read) and all(isinstance(value, Constant) for value in read)

    def plain(self, name: str) -> Any:
        """The node that holds a tensor. Raises ModelError for a constant."""
        value = self.names[name]
        if isinstance(value, Constant):
            raise ModelError(f"the constant {value.name} is used as an image: not supported")
        return self.pending.plain(value)

    def call(self, operation: Operation, name: str, find: Any, see: Any = None) -> Call:
        """An operation as its reader takes it; `find` gives what a tensor's name stands for.

        `see` gives a tensor without numbers for the name of a result, by default `meta`.
        """
        results = [(see or self.meta)(output) for output in operation.outputs]
        return Call(
            self.pending.builder,
            operation.outputs[0],
            name,
            tuple(mapped(arg, find) for arg in operation.args),
            {key: mapped(value, find) for key, value in operation.kwargs.items()},
            tuple(mapped(arg, self.meta) for arg in operation.args),
            results if operation.many else results[0],
            operation.scope,
        )

    def meta(self, name: str) -> Any:
        """A tensor of images without numbers, or the constant; None for tokens without a shape.

        Those have none whose batch is not their first axis.
        """
        value = self.names.get(name)
        if isinstance(value, Constant):
            return value
        if isinstance(value, Seen):
            return torch.empty(value.places.shape, device="meta")
        return torch.empty(IMAGES, *self.shape(name), device="meta")

    def of_any_shape(self, name: str) -> Any:
        """The same, None where the batch is not the first axis, which may be so on the way."""
        return None if self.program.shapes[name] is None else self.meta(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape for one image. Raises ModelError."""
        shape = self.program.shapes[name]
        if shape is None:
            raise ModelError(
                f"'{name}' mixes the images of a batch, or its size is not fixed: export the "
                "network for images of one size"
            )
        return shape


def name_of(word: str) -> str:
    """What a word is read as: itself, or what changes nothing in place."""
    changing = word.rstrip("_")
    return next(
        (name for table in (ATEN, PLAIN) for name in (word, changing) if name in table), word
    )


def mapped(arg: Any, find: Any) -> Any:
    """An argument with what `find` gives for each tensor."""
    if isinstance(arg, Ref):
        return find(arg.name)
    return [mapped(part, find) for part in arg] if isinstance(arg, list) else arg
