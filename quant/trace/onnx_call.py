"""One step of an ONNX file, as the table of operations takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quant.errors import ModelError
from quant.trace.onnx_file import Array, OnnxFile, Step
from quant.trace.pending import Pending, Value
from quant.trace.views import Shape

TORCH_WEIGHT = re.compile(r"[A-Za-z0-9_][\w.]*\.weight")
"""Keys of torch's state dicts."""


@dataclass(frozen=True)
class OnnxCall:
    """A step, and what is known of the values that it reads."""

    file: OnnxFile
    step: Step
    pending: Pending
    values: Mapping[str, Value]

    @property
    def name(self) -> str:
        """Name of the step, in the characters of torch's names."""
        return plain_name(self.step.name)

    @property
    def value(self) -> Value:
        """The first value that it reads."""
        return self.values[self.step.inputs[0]]

    @property
    def source(self) -> str:
        """The node of the first value that it reads."""
        return self.pending.plain(self.value)

    @property
    def shape(self) -> Shape:
        """Shape of its result for one image."""
        return self.shape_of(self.step.outputs[0])

    @property
    def before(self) -> Shape:
        """Shape of what it reads for one image."""
        return self.shape_of(self.step.inputs[0])

    def shape_of(self, value: str) -> Shape:
        """Shape of a value for one image. Raises ModelError where images are mixed."""
        batch, found = self.file.values[self.file.image].shape[0], self.file.values[value].shape
        if found[:1] != (batch,):
            raise self.refused("mixes the images of a batch")
        return tuple(int(size) for size in found[1:])

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the step."""
        return self.step.attributes.get(name, default)

    def constant(self, index: int) -> Array | None:
        """An input that is the same for all images, None where it is left out."""
        if index >= len(self.step.inputs) or not self.step.inputs[index]:
            return None
        found = self.file.constant(self.step.inputs[index])
        if found is None:
            raise self.refused(f"computes its input {index} from the image")
        return found

    def axis(self, axis: int) -> int:
        """An axis of the first value, counted from the front, the batch being 0."""
        return axis % (1 + len(self.before))

    def layer_name(self, weight: int = 1) -> str:
        """Of a layer: torch's, from its weight or from the scopes in the step's name."""
        name = self.step.inputs[weight]
        if TORCH_WEIGHT.fullmatch(name):
            return name.removesuffix(".weight")
        return scoped_name(self.step.name) or self.name

    def refused(self, reason: str) -> ModelError:
        """The error that names this step."""
        return ModelError(f"operation {self.step.op} '{self.step.name}' {reason}")


def plain_name(name: str) -> str:
    """A name in letters, digits, dots and underscores."""
    return re.sub(r"[^\w.]+", "_", name).strip("_")


def scoped_name(name: str) -> str:
    """`features.0.0` of torch's scopes /features/features.0/features.0.0/Conv; else nothing.

    A module in a list repeats the name of the list, one that is an attribute does not. Of a second
    operation in one module, Conv_1, the number is kept.
    """
    *scopes, operation = name.split("/")[1:] or [""]
    path: list[str] = []
    for scope in scopes:
        if path and scope.startswith(f"{path[-1]}."):
            path.pop()
        path.append(scope)
    number = re.search(r"_\d+$", operation)
    return plain_name(".".join(path)) + (number[0] if path and number else "")
