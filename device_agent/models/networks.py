"""Registered float networks: checked files, ranges of activations and the shape of the input."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from device_agent.models.files import PARTIAL_PREFIX, Files, settle, used_files
from device_agent.models.validate import read_network
from quant.errors import InputError
from quant.ncnn.format import NcnnLayer

Shape = tuple[int, int, int]
MAX_NETWORKS = 4096
"""Registrations that are remembered; each takes some kilobytes."""


class UnknownNetworkError(InputError):
    """No network is registered under this id, or its files made room for others."""


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
    """The registered networks of a data folder; their files take `max_store_bytes` at most."""

    def __init__(self, data_dir: Path, max_store_bytes: int = sys.maxsize) -> None:
        self.files = Files(data_dir / "files", max_store_bytes)
        self.folder = data_dir / "networks"
        self._building = threading.Lock()  # one network in the service's memory at a time

    def prepare(self) -> None:
        """Make the folders, and remove what a killed agent left behind."""
        self.files.prepare()
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(f"{PARTIAL_PREFIX}*"):
            leftover.unlink(missing_ok=True)

    def register(self, record: Record) -> str:
        """Check and remember a network; equal ones get the same id.

        Raises InputError or FormatError with the cause.
        """
        with self.files.held(record.param, record.bin), self._building:
            self.build(record)
        text = record.to_text().encode()
        identity = hashlib.sha256(text).hexdigest()
        keep(text, self.folder / identity)
        for forgotten in used_files(self.folder)[:-MAX_NETWORKS]:
            forgotten.path.unlink(missing_ok=True)
        return identity

    def require(self, identity: str) -> None:
        """Raise UnknownNetworkError unless the network is registered and its files are there."""
        self.find(identity)

    def find(self, identity: str) -> Record:
        """What was registered; to ask for it is to use it. Raises UnknownNetworkError."""
        path = self.folder / identity
        try:
            os.utime(path)
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise UnknownNetworkError(f"no network {identity} here: register it first") from None
        record = Record(**{**found, "input_shape": tuple(found["input_shape"])})
        if not (self.files.has(record.param) and self.files.has(record.bin)):
            raise UnknownNetworkError(
                f"the files of network {identity} made room for others: upload it again"
            )
        return record

    @contextmanager
    def held(self, identity: str) -> Iterator[None]:
        """Keep a network's files from making room for others. Raises UnknownNetworkError."""
        record = self.find(identity)
        with self.files.held(record.param, record.bin):
            self.find(identity)
            yield

    def load(self, identity: str) -> FloatNetwork:
        """A registered network."""
        return self.build(self.find(identity))

    def build(self, record: Record) -> FloatNetwork:
        """The checked network of a record. Raises InputError or FormatError with the cause."""
        param, weights = self.files.read(record.param), self.files.read(record.bin)
        layers = read_network(param, weights, record.ranges, record.input_shape)
        return FloatNetwork(tuple(layers), record.ranges, record.input_shape)


def keep(text: bytes, path: Path) -> None:
    """Write a file that is complete or not there."""
    with NamedTemporaryFile(dir=path.parent, prefix=PARTIAL_PREFIX, delete=False) as partial:
        try:
            partial.write(text)
            settle(partial, path)
        finally:
            Path(partial.name).unlink(missing_ok=True)
