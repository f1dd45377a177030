"""Registered float networks: checked files, ranges of activations and the shape of the input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from device_agent.files import PARTIAL_PREFIX, Files, settle
from quant.errors import FormatError, InputError
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB
from quant.ncnn.format import MASK_KEY, WEIGHTED, NcnnLayer, load_bin, parse_param

Shape = tuple[int, int, int]
PLAIN = ("Input", "Split", "BinaryOp", "Pooling", "ReLU", "Clip", "Flatten", "Dropout", "Softmax")
ALLOWED_TYPES = frozenset({*WEIGHTED, *PLAIN})


class UnknownNetworkError(InputError):
    """No network is registered under this id."""


@dataclass(frozen=True)
class Record:
    """What a registration consists of.

    `param` and `bin` are digests of uploaded files; `ranges` are thresholds of input activations
    by layer name; `input_shape` is (channels, height, width).
    """

    param: str
    bin: str
    ranges: Mapping[str, float]
    input_shape: Shape

    def to_text(self) -> str:
        """Canonical JSON: equal records have equal text."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class FloatNetwork:
    """A registered network in memory, with float32 weights."""

    layers: tuple[NcnnLayer, ...]
    ranges: Mapping[str, float]
    input_shape: Shape


class Networks:
    """The registered networks of a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.files = Files(data_dir / "files")
        self.folder = data_dir / "networks"

    def prepare(self) -> None:
        """Make the folders."""
        self.files.prepare()
        self.folder.mkdir(parents=True, exist_ok=True)

    def register(self, record: Record) -> str:
        """Check and remember a network; equal ones get the same id.

        Raises InputError or FormatError with the cause.
        """
        self.build(record)
        text = record.to_text().encode()
        identity = hashlib.sha256(text).hexdigest()
        with NamedTemporaryFile(dir=self.folder, prefix=PARTIAL_PREFIX, delete=False) as partial:
            partial.write(text)
            settle(partial, self.folder / identity)
        return identity

    def require(self, identity: str) -> None:
        """Raise UnknownNetworkError unless the network is registered."""
        if not (self.folder / identity).is_file():
            raise UnknownNetworkError(f"no network {identity} here: register it first")

    def load(self, identity: str) -> FloatNetwork:
        """A registered network."""
        self.require(identity)
        found = json.loads((self.folder / identity).read_bytes())
        return self.build(Record(**{**found, "input_shape": tuple(found["input_shape"])}))

    def build(self, record: Record) -> FloatNetwork:
        """The checked network of a record."""
        try:
            text = self.files.read(record.param).decode()
        except UnicodeDecodeError:
            raise FormatError("the .param is not text") from None
        layers = parse_param(text)
        check_structure(layers)
        loaded = load_bin(layers, self.files.read(record.bin))
        check_weights(loaded)
        check_ranges(loaded, record.ranges)
        return FloatNetwork(tuple(loaded), record.ranges, record.input_shape)


def check_structure(layers: Sequence[NcnnLayer]) -> None:
    """Raise FormatError for a layer type, a name or an end that cannot be measured."""
    foreign = sorted({layer.type for layer in layers} - ALLOWED_TYPES)
    if foreign:
        raise FormatError(f"layer type {foreign[0]} is not supported")
    if any(MASK_KEY in layer.params for layer in layers):
        raise FormatError("the network has masks (31=): register it without, they are planned here")
    if len({layer.name for layer in layers}) != len(layers):
        raise FormatError("two layers have the same name")
    inputs = [layer.outputs for layer in layers if layer.type == "Input"]
    if inputs != [(INPUT_BLOB,)]:
        raise FormatError(f"the network needs exactly one Input, giving blob {INPUT_BLOB}")
    if sum(OUTPUT_BLOB in layer.outputs for layer in layers) != 1:
        raise FormatError(f"the network needs exactly one layer that gives blob {OUTPUT_BLOB}")


def check_weights(layers: Sequence[NcnnLayer]) -> None:
    """Raise FormatError unless all weights and biases are float and finite."""
    for layer in layers:
        if layer.payload is None:
            continue
        if layer.payload.weight is None:
            raise FormatError(f"layer {layer.name} is already int8: register the float network")
        bias = layer.payload.bias
        if not np.isfinite(layer.payload.weight).all() or (
            bias is not None and not np.isfinite(bias).all()
        ):
            raise FormatError(f"layer {layer.name} has weights that are not finite")


def check_ranges(layers: Sequence[NcnnLayer], ranges: Mapping[str, float]) -> None:
    """Raise InputError for a range of an unknown layer or one that is not finite and positive."""
    unknown = sorted(set(ranges) - {layer.name for layer in layers if layer.is_weighted})
    if unknown:
        raise InputError(f"there is a range for {unknown[0]}, but no such weighted layer")
    for name, threshold in ranges.items():
        if not (np.isfinite(threshold) and threshold > 0):
            raise InputError(f"the range of {name} is {threshold}, it must be finite and positive")
