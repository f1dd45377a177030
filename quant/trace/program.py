"""A program of torch.export as plain data, from its JSON (torch/_export/serde/schema.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEYWORD = 2
"""Arguments that are given by name."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Operation:
    """A node: `args` by place, `kwargs` by name; tensors among them are `Ref`s.

    It gives one tensor, a list (`many`), or sizes alone: then there are no `outputs`. `scope` is
    the name of the module that calls it.
    """

    target: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str, ...]
    many: bool
    scope: str = ""


@dataclass(frozen=True)
class Ref:
    """A tensor by its name in the graph."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A weight, a buffer or another constant by its name in the module."""

    name: str
    value: Array


@dataclass(frozen=True)
class Program:
    """A network with one image as input and one output.

    `shapes` are those of one image, None for tensors of which something else is not fixed.
    """

    image: str
    output: str
    operations: tuple[Operation, ...]
    constants: Mapping[str, Constant]
    shapes: Mapping[str, tuple[int, ...] | None]


def to_operation(node: Mapping[str, Any]) -> Operation:
    """A node of the graph's JSON; of several outputs the first counts."""
    keyword = [part for part in node["inputs"] if part.get("kind") == KEYWORD]
    args = tuple(argument(part["arg"]) for part in node["inputs"] if part not in keyword)
    names, many = named(node["outputs"][0]) if node["outputs"] else ([], False)
    kwargs = {part["name"]: argument(part["arg"]) for part in keyword}
    scope = scope_of(node.get("metadata", {}).get("nn_module_stack", ""))
    return Operation(node["target"], args, kwargs, tuple(names), many, scope)


def scope_of(stack: str) -> str:
    """The innermost module's name of `KEY,NAME,TYPE;KEY,NAME,TYPE..`; empty where there is none."""
    parts = stack.split(";")[-1].split(",")
    return parts[1] if len(parts) > 1 else ""


def named(output: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Names of the tensors that an output is, and whether it is a list of them."""
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [part["name"] for part in value], True
    return [value["name"]] if kind == "as_tensor" else [], False


def argument(given: Mapping[str, Any]) -> Any:
    """A number, a text, a list of these, or `Ref`s; sizes that are not fixed are None."""
    ((kind, value),) = given.items()
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind in ("as_tensors", "as_optional_tensors"):
        return [
            None if "as_none" in part else Ref(part.get("as_tensor", part)["name"])
            for part in value
        ]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return number(value)
    if kind == "as_sym_ints":
        return [number(part) for part in value]
    return None if kind == "as_none" else value


def number(value: Mapping[str, Any]) -> Any:
    """A number, None where it is not fixed."""
    return value.get("as_int", value.get("as_float", value.get("as_bool")))


def shape_of(meta: Mapping[str, Any], batch: Any) -> tuple[int, ...] | None:
    """Shape for one image; None where the batch is another, or more than that is not fixed."""
    sizes = [size.get("as_int") for size in meta["sizes"]][1:]
    if meta["sizes"][:1] != batch or None in sizes:
        return None
    return tuple(size for size in sizes if size is not None)


def fixed(sizes: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Sizes, none of which is symbolic."""
    return tuple(int(size["as_int"]) for size in sizes)


def strided(stored: Array, sizes: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
    """A copy of a part of what is stored, laid out by strides in elements.

    Raises ValueError where these reach beyond it, and where a small file asks for a large copy.
    """
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if min((*sizes, *strides, offset), default=0) < 0 or (0 not in sizes and last >= len(stored)):
        raise ValueError("a tensor reaches beyond what is stored")
    if math.prod(sizes) > len(stored):
        raise ValueError("a tensor has more numbers than are stored")
    steps = [stride * stored.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(stored[offset:], sizes, steps).copy()
