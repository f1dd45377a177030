"""The quantizer's tables on disk: one safetensors file a layer, tensors by part and bits.

Names are `weight.4.integers` (int8), `.scale`, `input.4.change`, `.spread`, `.offset`, and with
`plain` instead of the bits the entries for 8 bits on both sides; numbers are in the header. Of a
product there are only numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from haq.store.run_folder import write_bytes
from quant.quantized import InputLevels
from quant.recipe.products import LevelsEntry, ProductTable
from quant.recipe.table import InputEntry, LayerTable, Table, WeightEntry

Arrays = dict[str, np.ndarray[Any, Any]]
Numbers = dict[str, dict[str, float]]
PLAIN = "plain"


def save_table(path: Path, table: Table) -> None:
    """Write a layer's entries; the file is replaced whole."""
    arrays: Arrays = {}
    if isinstance(table, ProductTable):
        numbers = product_parts(table)
    else:
        arrays, numbers = layer_parts(table)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, save(whole, {"numbers": json.dumps(numbers)}))


def product_parts(table: ProductTable) -> Numbers:
    """Numbers of a product."""
    entries = by_name("weight", table.weights, None) + by_name("input", table.inputs, None)
    return {name: levels_numbers(entry) for name, entry in entries}


def layer_parts(table: LayerTable) -> tuple[Arrays, Numbers]:
    """Arrays and numbers of a layer with weights."""
    arrays: Arrays = {"mean": table.mean, "inside": table.inside}
    if table.spread is not None:
        arrays["spread"] = table.spread
    numbers: Numbers = {}
    for name, weights in by_name("weight", table.weights, table.plain_weights):
        arrays |= {f"{name}.integers": weights.integers.astype(np.int8)}
        arrays |= {f"{name}.scale": weights.scale}
        numbers[name] = {"error": weights.error}
    for name, inputs in by_name("input", table.inputs, table.plain_inputs):
        levels = inputs.levels
        parts = {"change": inputs.change, "spread": levels.spread, "offset": levels.offset}
        arrays |= {f"{name}.{part}": a for part, a in parts.items() if a is not None}
        numbers[name] = levels_numbers(inputs)
    return arrays, numbers


def levels_numbers(entry: InputEntry | LevelsEntry) -> dict[str, float]:
    """Numbers of levels, and their error."""
    levels = entry.levels
    return {"error": entry.error, "scale": levels.scale, "low": levels.low, "high": levels.high}


def by_name(part: str, entries: Mapping[int, Any], plain: Any) -> list[tuple[str, Any]]:
    """Entries and their names in the file."""
    found = [(f"{part}.{bits}", entry) for bits, entry in entries.items()]
    return found if plain is None else [*found, (f"{part}.{PLAIN}", plain)]


def load_table(path: Path) -> Table | None:
    """Inverse of `save_table`; None where there is no file that can be read."""
    try:
        with safe_open(path, framework="np") as stream:
            numbers = json.loads(stream.metadata()["numbers"])
        arrays = load_file(path)
        return to_table(arrays, numbers) if arrays else to_product_table(numbers)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def to_product_table(numbers: Mapping[str, Mapping[str, Any]]) -> ProductTable:
    """A table of numbers alone. Raises KeyError where some are missing."""
    entries: dict[str, dict[int, LevelsEntry]] = {"weight": {}, "input": {}}
    for name, found in numbers.items():
        part, bits = name.split(".")
        levels = InputLevels(found["scale"], found["low"], found["high"])
        entries[part][int(bits)] = LevelsEntry(levels, found["error"])
    return ProductTable(entries["weight"], entries["input"])


def to_table(arrays: Arrays, numbers: Mapping[str, Mapping[str, Any]]) -> LayerTable:
    """A table of named arrays and numbers. Raises KeyError where some are missing."""
    weights: dict[str, WeightEntry] = {}
    inputs: dict[str, InputEntry] = {}
    for name, found in numbers.items():
        part, bits = name.split(".")
        if part == "weight":
            integers = arrays[f"{name}.integers"].astype(np.float32)
            weights[bits] = WeightEntry(integers, arrays[f"{name}.scale"], found["error"])
            continue
        levels = InputLevels(
            found["scale"],
            found["low"],
            found["high"],
            arrays.get(f"{name}.spread"),
            arrays.get(f"{name}.offset"),
        )
        inputs[bits] = InputEntry(levels, arrays[f"{name}.change"], found["error"])
    return LayerTable(
        {int(bits): entry for bits, entry in weights.items() if bits != PLAIN},
        {int(bits): entry for bits, entry in inputs.items() if bits != PLAIN},
        weights[PLAIN],
        inputs.get(PLAIN),
        arrays["mean"],
        arrays["inside"],
        arrays.get("spread"),
    )
