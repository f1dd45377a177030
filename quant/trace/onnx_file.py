"""An ONNX file as a list of steps, with the shapes and the constants that its values have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from quant.errors import ModelError, one_line
from quant.trace.ends import inputs_refused, outputs_refused

Array = NDArray[Any]
SHAPES_ALONE = ("Shape", "Size")
"""What does not depend on the numbers that it reads."""
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv")
SILENT = 4
"""onnxruntime's log level of fatal errors alone."""


@dataclass(frozen=True)
class Step:
    """A node that depends on the image: `inputs` are names, empty where one is left out."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class OnnxFile:
    """A float network with one image as input and one output.

    `values` are those of an image of noise by name, constants among them; `variable` are not these.
    """

    image: str
    output: str
    steps: tuple[Step, ...]
    values: Mapping[str, Array]
    variable: frozenset[str]

    def constant(self, name: str) -> Array | None:
        """A value that does not depend on the image, None for others and for what is left out."""
        return self.values[name] if name and name not in self.variable else None


def read_file(path: Path) -> OnnxFile:
    """Raises ModelError for what is no ONNX file, or one of a kind that is not supported."""
    model = load(path)
    image, shape = one_image(model)
    output = one_output(model)
    variable = depend_on(image, model)
    steps = tuple(to_step(node) for node in model.graph.node if variable.intersection(node.output))
    for step in steps:
        refuse_quantized(step)
    values = run(model, image, shape)
    return OnnxFile(image, output, steps, values, variable)


def load(path: Path) -> onnx.ModelProto:
    """The model; weights beside the file are read, too. Raises ModelError."""
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    try:
        return onnx.load(path)
    except Exception as error:
        # protobuf, the checks of other files and the file system have errors of their own kinds.
        raise ModelError(f"{path} is not a readable ONNX file: {one_line(error)}") from None


def holds_its_weights(path: Path) -> bool:
    """Whether no weights lie in other files."""
    tensors = onnx.load(path, load_external_data=False).graph.initializer
    return not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors)


def one_image(model: onnx.ModelProto) -> tuple[str, tuple[int, ...]]:
    """The input's name and shape, a free batch as one image. Raises ModelError."""
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if len(inputs) != 1:
        raise inputs_refused(value.name for value in inputs)
    kind = inputs[0].type.tensor_type
    sizes = [size.dim_value for size in kind.shape.dim]
    if kind.elem_type != onnx.TensorProto.FLOAT or len(sizes) != 4 or 0 in sizes[1:]:
        raise ModelError(
            f"input {inputs[0].name} is {written(kind)}: float32 images Nx3xHxW of a fixed size "
            "are needed"
        )
    return inputs[0].name, (sizes[0] or 1, *sizes[1:])


def written(kind: onnx.TypeProto.Tensor) -> str:
    """A tensor's type as people write it."""
    sizes = [str(size.dim_value or size.dim_param or "?") for size in kind.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(kind.elem_type).lower()} {'x'.join(sizes)}"


def one_output(model: onnx.ModelProto) -> str:
    """The output's name. Raises ModelError."""
    names = [value.name for value in model.graph.output]
    if len(names) != 1:
        raise outputs_refused(names)
    return str(names[0])


def depend_on(image: str, model: onnx.ModelProto) -> frozenset[str]:
    """Names of the values that change with the numbers of the image."""
    found = {image}
    for node in model.graph.node:
        if node.op_type not in SHAPES_ALONE and found.intersection(node.input):
            found.update(node.output)
    return frozenset(found)


def to_step(node: onnx.NodeProto) -> Step:
    """A node without protobuf."""
    attributes = {part.name: plain(helper.get_attribute_value(part)) for part in node.attribute}
    name = node.name or node.output[0]
    return Step(name, node.op_type, tuple(node.input), tuple(node.output), attributes)


def plain(value: Any) -> Any:
    """An attribute as a number, a text or a list of these."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def refuse_quantized(step: Step) -> None:
    """Raise ModelError for a network that is quantized already."""
    if step.op in QUANTIZED:
        raise ModelError(
            f"operation {step.op} '{step.name}': the network is quantized already, the float "
            "network is needed"
        )


def run(model: onnx.ModelProto, image: str, shape: tuple[int, ...]) -> dict[str, Array]:
    """Every value of the network for images of noise. Raises ModelError where it fails."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    names = list(dict.fromkeys(computed(model)))
    noise = np.random.default_rng(0).standard_normal(shape, np.float32)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        session = onnxruntime.InferenceSession(
            whole.SerializeToString(), plain_options(), ["CPUExecutionProvider"]
        )
        found = session.run(names, {image: noise})
    except Exception as error:
        # onnxruntime has errors of its own for every cause.
        raise ModelError(f"the network does not run: {one_line(error)}") from None
    values = dict(zip(names, found, strict=True))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {image: noise, **weights, **values}


def computed(model: onnx.ModelProto) -> Iterator[str]:
    """Names of the values that the nodes give."""
    return (name for node in model.graph.node for name in node.output if name)


def plain_options() -> onnxruntime.SessionOptions:
    """One thread, the network as it is written, and no words."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    return options
