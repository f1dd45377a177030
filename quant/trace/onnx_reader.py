"""Reads an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from quant.errors import ModelError
from quant.graph import Network
from quant.trace.builder import Builder
from quant.trace.check import check
from quant.trace.onnx_call import OnnxCall, plain_name
from quant.trace.onnx_file import OnnxFile, Step, read_file
from quant.trace.onnx_operations import OPERATIONS
from quant.trace.pending import Pending, Value


def read_onnx(path: Path) -> Network:
    """A float network with one image as input and one output, folded and fused as `trace` does.

    It gives what onnxruntime gives for an image of noise. Layers have the names of their weights
    less `.weight` where these are torch's, else those of the nodes. Raises ModelError for what is
    not supported, naming it.
    """
    file = read_file(path)
    network = _Reader(file).network()
    image, expected = (torch.from_numpy(file.values[name]) for name in (file.image, file.output))
    check(network, image, expected)
    return network


class _Reader:
    """Hands steps to the builder; `values` are what it calls the values of the file."""

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self.pending = Pending(Builder())
        self.values: dict[str, Value] = {}

    def network(self) -> Network:
        """The network of all steps."""
        shape = self.file.values[self.file.image].shape[1:]
        name = plain_name(self.file.image)
        self.values[self.file.image] = self.pending.builder.image(name, shape)
        for step in self.file.steps:
            self.visit(step)
        output = self.file.output
        if output not in self.values:
            raise ModelError(f"output {output} does not depend on the image")
        found = self.pending.plain(self.values[output])
        return self.pending.builder.finish(found, self.file.values[output].shape[1:])

    def visit(self, step: Step) -> None:
        """Take one step."""
        if step.op not in OPERATIONS:
            raise ModelError(f"operation {step.op} '{step.name}' is not supported")
        call = OnnxCall(self.file, step, self.pending, self.values)
        if step.inputs[0] not in self.values and step.op not in ("Add", "Sub", "Mul", "Div"):
            raise call.refused("does not read the image first, which is not supported")
        made: Any = OPERATIONS[step.op](call)
        values = made if isinstance(made, tuple) else (made,)
        self.values.update(zip(step.outputs, values, strict=False))
