"""Quantized layers in a folder: tensors in `layers.safetensors`, all else in `layers.json`.

Tensors are `NAME.weight` (int8 where integers, else float32), `NAME.weight_scale`, `NAME.bias`,
`NAME.spread` and `NAME.offset`; those that a layer lacks are left out. The JSON has the policy, the
levels of the inputs (of products those of both), and the digest of the float network that the
layers were made from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from quant.errors import InputError, PolicyError
from quant.graph import Floats, Network
from quant.policy import Policy
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers

VERSION = 1
TENSORS, FACTS = "layers.safetensors", "layers.json"
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class SavedQuantizer:
    """A quantizer (`quant.quantized.Quantizer`) of one policy, whose layers are made already."""

    policy: Policy
    made: QuantizedLayers

    def layers(self, policy: Policy) -> QuantizedLayers:
        """The layers. Raises PolicyError for any other policy than theirs."""
        if policy != self.policy:
            raise PolicyError("the saved layers are of another policy: leave --policy out")
        return self.made


def save_layers(
    folder: Path, layers: QuantizedLayers, policy: Policy, network: Network
) -> tuple[Path, Path]:
    """Write the two files into an existing folder; each is replaced whole or not at all."""
    arrays: Arrays = {}
    for name, layer in layers.items():
        arrays |= {f"{name}.{part}": array for part, array in to_arrays(layer).items()}
    facts = {
        "version": VERSION,
        "network": network_digest(network),
        "policy": policy.to_json(),
        "inputs": {name: describe_input(layer.input) for name, layer in layers.items()},
        "seconds": {n: describe_input(x.second) for n, x in layers.items() if x.second},
    }
    tensors, described = folder / TENSORS, folder / FACTS
    replace_file(tensors, save(arrays))
    replace_file(described, (json.dumps(facts, indent=1) + "\n").encode())
    return tensors, described


def load_layers(folder: Path, network: Network) -> SavedQuantizer:
    """Inverse of `save_layers`.

    Raises InputError where the folder holds no layers, or those of another network.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        arrays = load_file(folder / TENSORS)
        known = facts["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        raise unusable(folder) from None
    if not known:
        raise InputError(f"{folder} holds layers of version {facts['version']}, not {VERSION}")
    if facts.get("network") != network_digest(network):
        raise InputError(
            f"{folder} holds layers of another network: give the --model, --weights, --input and "
            "--padding that they were made with"
        )
    try:
        firsts, seconds = facts["inputs"], facts.get("seconds", {})
        made = {
            layer.name: from_arrays(layer.name, arrays, firsts[layer.name], seconds.get(layer.name))
            for layer in network.graph.layers
        }
        check_shapes(made, network)
        policy = Policy.from_json(facts["policy"])
    except (KeyError, TypeError, ValueError):
        raise unusable(folder) from None
    policy.check_names(network.graph.layer_names)
    return SavedQuantizer(policy, made)


def network_digest(network: Network) -> str:
    """SHA-256 of a float network: its layers' geometry, all weights and biases, and its input."""
    sha = hashlib.sha256(repr(network.graph.input_shape).encode())
    for layer in network.graph.layers:
        geometry = (layer.name, layer.op, layer.stride, layer.pads, layer.dilation, layer.groups)
        sha.update(repr((geometry, layer.weight_shape, layer.activation)).encode())
        if not layer.is_product:
            weights = network.weights[layer.name]
            sha.update(np.ascontiguousarray(weights.weight).tobytes())
            sha.update(np.ascontiguousarray(weights.bias).tobytes())
    for node in network.graph.nodes:
        if node.constants is not None:
            sha.update(repr((node.name, node.op, node.detail)).encode())
            sha.update(np.ascontiguousarray(node.constants.weight).tobytes())
            sha.update(np.ascontiguousarray(node.constants.bias).tobytes())
    return sha.hexdigest()


def to_arrays(layer: QuantizedLayer) -> Arrays:
    """Arrays of a layer by the last part of their names."""
    weight = layer.weight if layer.weight_scale is None else layer.weight.astype(np.int8)
    found = {"weight": weight, "weight_scale": layer.weight_scale, "bias": layer.bias}
    if layer.input is not None:
        found |= {"spread": layer.input.spread, "offset": layer.input.offset}
    return {name: np.ascontiguousarray(a) for name, a in found.items() if a is not None}


def from_arrays(
    name: str,
    arrays: Arrays,
    levels: Mapping[str, Any] | None,
    second: Mapping[str, Any] | None,
) -> QuantizedLayer:
    """Inverse of `to_arrays` and `describe_input`. Raises KeyError, TypeError."""

    def optional(part: str) -> Floats | None:
        return arrays.get(f"{name}.{part}")

    return QuantizedLayer(
        arrays[f"{name}.weight"].astype(np.float32),
        optional("weight_scale"),
        arrays[f"{name}.bias"],
        read_input(levels, optional("spread"), optional("offset")),
        read_input(second, None, None),
    )


def read_input(
    levels: Mapping[str, Any] | None, spread: Floats | None, offset: Floats | None
) -> InputLevels | None:
    """Inverse of `describe_input`. Raises KeyError, TypeError."""
    if levels is None:
        return None
    ends = int(levels["low"]), int(levels["high"])
    return InputLevels(float(levels["scale"]), *ends, spread, offset)


def describe_input(levels: InputLevels | None) -> dict[str, float] | None:
    """Scale and ends of an input's levels."""
    if levels is None:
        return None
    return {"scale": levels.scale, "low": levels.low, "high": levels.high}


def check_shapes(made: QuantizedLayers, network: Network) -> None:
    """Raise ValueError where an array has not the shape that the network asks for."""
    for layer in network.graph.layers:
        found = made[layer.name]
        biases = 0 if layer.is_product else layer.c_out
        shapes = [found.weight.shape == layer.weight_shape, found.bias.shape == (biases,)]
        if found.weight_scale is not None:
            shapes.append(found.weight_scale.shape == (layer.c_out,))
        if found.input is not None:
            by_channel = (found.input.spread, found.input.offset)
            shapes += [a.shape == (layer.c_in,) for a in by_channel if a is not None]
        if not all(shapes):
            raise ValueError(layer.name)


def unusable(folder: Path) -> InputError:
    """What to say of a folder without layers."""
    return InputError(f"{folder} holds no quantized layers: name a folder of `haq finetune`")


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
