"""A file of `torch.export.save`, read without torch's loader.

`torch.export.load` unpickles what a file asks it to, and evaluates its symbolic sizes as Python. A
file is an archive of JSON (the graph: torch/_export/serde/schema.py) and raw tensors; these are all
that is read here, so nothing that it holds can run.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from quant.errors import ModelError, one_line
from quant.trace.ends import inputs_refused, refused
from quant.trace.program import Array, Constant, Program, fixed, shape_of, strided, to_operation

SCHEMA = 8
"""Major version of the graph's JSON, of torch 2.10 to 2.13."""
FLOAT32 = 7
DTYPES: Mapping[int, str] = {4: "<i4", 5: "<i8", 6: "<f2", FLOAT32: "<f4", 8: "<f8", 12: "?"}
"""numpy's types by torch's numbers."""


def read_program(path: Path) -> Program:
    """Raises ModelError for what is no such file, or one of a kind that is not supported."""
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    with path.open("rb") as stream:
        return read_stream(stream, str(path))


def read_stream(stream: IO[bytes], origin: str) -> Program:
    """`read_program` of an open file. Raises ModelError that names `origin`."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return _Archive(archive).program()
    except ModelError as error:
        raise ModelError(f"{origin}: {error}") from None
    except Exception as error:
        # A damaged file, or one of another form, can fail at any of its parts.
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ModelError(
            f"{origin} is no file of torch.export.save as torch 2.10 to 2.13 write it ({reason})"
        ) from None


class _Archive:
    """The parts of an archive; a name that the file gives is only ever looked up."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.parts = {part.filename.partition("/")[2]: part for part in archive.infolist()}

    def program(self) -> Program:
        """The network. Raises ModelError, and any other error for a damaged file."""
        model = self.json("models/model.json")
        if model["schema_version"]["major"] != SCHEMA:
            raise ModelError("was written by another torch: torch 2.10 to 2.13 are understood")
        graph, signature = (model["graph_module"][name] for name in ("graph", "signature"))
        image, constants = self.inputs(signature["input_specs"])
        output = one_output(signature["output_specs"])
        tensors = graph["tensor_values"]
        batch = tensors[image]["sizes"][:1]
        shapes = {name: shape_of(meta, batch) for name, meta in tensors.items()}
        check_image(image, shapes[image], tensors[image]["dtype"])
        operations = tuple(to_operation(node) for node in graph["nodes"])
        return Program(image, output, operations, constants, shapes)

    def inputs(self, specs: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Constant]]:
        """Name of the image, and constants by their names in the graph. Raises ModelError."""
        images: list[str] = []
        constants: dict[str, Constant] = {}
        tensors = self.tensors()
        for spec in specs:
            ((kind, found),) = spec.items()
            if kind == "user_input":
                images.append(found["arg"].get("as_tensor", {"name": "a number"})["name"])
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name = found[f"{kind}_name"]
                constants[found["arg"]["name"]] = Constant(name, tensors(name))
            else:
                raise ModelError(f"has an input that is a {kind}, which is not supported")
        if len(images) != 1:
            raise inputs_refused(images)
        return images[0], constants

    def tensors(self) -> Callable[[str], Array]:
        """A function from names in the module to tensors. Raises ModelError."""
        listed = {
            name: (folder, payload)
            for folder, file in (("weights", "weights"), ("constants", "constants"))
            for name, payload in self.json(f"data/{folder}/model_{file}_config.json")[
                "config"
            ].items()
        }
        return lambda name: self.tensor(name, *listed[name])

    def tensor(self, name: str, folder: str, payload: Mapping[str, Any]) -> Array:
        """A tensor that is stored raw. Raises ModelError for one that is pickled."""
        meta = payload["tensor_meta"]
        if payload["use_pickle"] or meta is None:
            raise ModelError(f"holds {name} as a pickle, which may run code: it is not read")
        if meta["dtype"] not in DTYPES:
            raise ModelError(f"{name} is of a type that is not supported: save float32")
        stored = np.frombuffer(
            self.read(f"data/{folder}/{payload['path_name']}"), DTYPES[meta["dtype"]]
        )
        return strided(
            stored,
            fixed(meta["sizes"]),
            fixed(meta["strides"]),
            fixed([meta["storage_offset"]])[0],
        )

    def json(self, name: str) -> Any:
        """A part that is JSON."""
        return json.loads(self.read(name))

    def read(self, name: str) -> bytes:
        """A part, which is not compressed: so it is no larger than the file."""
        part = self.parts[name]
        if part.compress_type != zipfile.ZIP_STORED:
            raise ModelError("is compressed: torch.export.save does not do that")
        return self.archive.read(part)


def one_output(specs: Sequence[Mapping[str, Any]]) -> str:
    """The output's name. Raises ModelError."""
    names = [spec["user_output"]["arg"]["as_tensor"]["name"] for spec in specs if is_output(spec)]
    if len(names) != 1 or len(specs) != 1:
        raise refused("gives several outputs, or changes buffers")
    return str(names[0])


def is_output(spec: Mapping[str, Any]) -> bool:
    """Whether a tensor is given to the caller."""
    return "as_tensor" in spec.get("user_output", {"arg": {}})["arg"]


def check_image(name: str, shape: tuple[int, ...] | None, dtype: int) -> None:
    """Raise ModelError unless the input holds images of a fixed size."""
    if shape is None or len(shape) != 3 or dtype != FLOAT32:
        raise ModelError(
            f"input {name} is not of float32 images Nx3xHxW of a fixed size: export it with such "
            "an example"
        )
