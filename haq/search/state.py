"""The state of a searcher as plain data: arrays and JSON by name, in one safetensors blob."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from quant.errors import StateError

KEY = "haq searcher 1"
"""Names the metadata, and the version of what the states hold."""
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class State:
    """Arrays of any shape, and values that JSON can hold; "kind" among them says whose they are."""

    tensors: Tensors
    values: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The same for equal states; they hold a digest of what they hold."""
        tensors = {name: np.asarray(array, order="C") for name, array in self.tensors.items()}
        values = json.dumps(self.values)
        return save(tensors, {KEY: f"{digest(tensors, values)} {values}"})

    @staticmethod
    def from_bytes(data: bytes) -> State:
        """Inverse of `to_bytes`. Raises StateError for anything else."""
        try:
            tensors = load(data)
            written, _, values = metadata(data)[KEY].partition(" ")
        except (SafetensorError, KeyError, TypeError, ValueError):
            raise StateError(
                "the searcher's state is cut off, damaged or of another version of haq: "
                "remove it to begin anew"
            ) from None
        if digest(tensors, values) != written:
            raise StateError("the searcher's state is damaged: remove it to begin anew")
        return State(tensors, json.loads(values))

    def check_kind(self, kind: str) -> None:
        """Raise StateError for the state of another kind of searcher."""
        found = self.values.get("kind")
        if found != kind:
            raise StateError(
                f"the state is that of a {found} searcher, not of a {kind} one: go on with the "
                "agent that it was saved by"
            )

    def with_part(self, name: str, part: State) -> State:
        """This state and all of another one beneath a name."""
        tensors = {f"{name}/{inner}": array for inner, array in part.tensors.items()}
        return State({**self.tensors, **tensors}, {**self.values, name: part.values})

    def part(self, name: str) -> State:
        """What `with_part` put beneath the name."""
        prefix = f"{name}/"
        tensors = {
            whole.removeprefix(prefix): array
            for whole, array in self.tensors.items()
            if whole.startswith(prefix)
        }
        return State(tensors, self.values[name])


def metadata(data: bytes) -> dict[str, str]:
    """Metadata of a safetensors blob that could be loaded. Raises KeyError where it has none."""
    size = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    return found


def digest(tensors: Tensors, values: str) -> str:
    """SHA-256 of the values and of the tensors with their names, types and shapes."""
    found = sha256(values.encode())
    for name, array in sorted(tensors.items()):
        found.update(f"\n{json.dumps(name)} {array.dtype} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()
