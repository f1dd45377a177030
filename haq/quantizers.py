"""Quantizers by name, with what they made kept on disk.

`best` quantizes each policy as a whole, in sequence; `table` picks from entries that were made once
for every layer and number of bits; `naive` rounds to nearest; `kmeans` lets weights share values.
In ncnn's own arithmetic the engine rounds, and nothing is left to choose.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from haq.data import Images
from haq.names import QuantizerName
from haq.prepare import Subject, quantizer_of, to_tensor
from haq.progress import Progress
from haq.sharing import kmeans_quantizer
from haq.store.run_folder import make_folder
from haq.store.tables import load_table, save_table
from quant.errors import InputError
from quant.graph import Network
from quant.naive import Arithmetic
from quant.policy import Policy
from quant.pool import one_thread
from quant.quantized import QuantizedLayers, Quantizer
from quant.recipe.sequence import quantize_in_sequence
from quant.recipe.table import Table, TableQuantizer, make_tables
from quant.saved import load_layers, network_digest, save_layers

VERSION = 4
"""Of the recipes: what another version has made is not taken from the cache."""


def make_quantizer(
    name: QuantizerName,
    subject: Subject,
    calibration: Images,
    arithmetic: Arithmetic,
    progress: Progress,
    cache: Path | None = None,
) -> Quantizer:
    """The quantizer for an arithmetic; `cache` is a folder, by default `cache_folder()`."""
    if name == "naive" or arithmetic == "ncnn":
        return quantizer_of(subject, arithmetic)
    if name == "kmeans":
        return kmeans_quantizer(subject, calibration)
    kept = cache or cache_folder()
    if name == "table":
        return TableQuantizer(
            subject.network, find_tables(subject.network, calibration, progress, kept)
        )
    return SequenceQuantizer(subject.network, calibration, progress, kept)


def cache_folder() -> Path:
    """`HAQ_CACHE`, or `haq` in the user's folder of caches."""
    named = os.environ.get("HAQ_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haq"


def find_tables(
    network: Network, calibration: Images, progress: Progress, cache: Path
) -> dict[str, Table]:
    """Tables of all layers, from the cache where it has them all, else made and kept."""
    folder = cache / "tables" / data_digest(network, calibration)
    names = network.graph.layer_names
    known = {name: load_table(folder / f"{name}.safetensors") for name in names}
    found = {name: table for name, table in known.items() if table is not None}
    if len(found) == len(names):
        return found
    progress.start("quantizing every layer at 2 to 8 bits", len(names))
    with one_thread():
        made = make_tables(network, to_tensor(calibration), advance=progress.advance)
    make_folder(folder)
    for name, table in made.items():
        save_table(folder / f"{name}.safetensors", table)
    return made


@dataclass
class SequenceQuantizer:
    """Quantizes whole policies in sequence; each is made once and kept in the cache."""

    network: Network
    calibration: Images
    progress: Progress
    cache: Path
    _made: dict[str, QuantizedLayers] = field(default_factory=dict)

    def layers(self, policy: Policy) -> QuantizedLayers:
        """The layers of a policy. Raises PolicyError where it does not fit the network."""
        key = policy.key()
        if key not in self._made:
            self._made[key] = self._find(policy)
        return self._made[key]

    def _find(self, policy: Policy) -> QuantizedLayers:
        digest = data_digest(self.network, self.calibration)
        folder = self.cache / "sequences" / digest / policy.key()
        if folder.is_dir():
            try:
                return load_layers(folder, self.network).layers(policy)
            except InputError:
                pass
        made = self._make(policy)
        make_folder(folder)
        save_layers(folder, made, policy, self.network)
        return made

    def _make(self, policy: Policy) -> QuantizedLayers:
        self.progress.start("quantizing the policy in sequence", len(policy.layers))
        with one_thread():
            return quantize_in_sequence(
                self.network, to_tensor(self.calibration), policy, advance=self.progress.advance
            ).layers


def data_digest(network: Network, calibration: Images) -> str:
    """SHA-256 of the float network, the calibration images and the version of the recipes."""
    parts = f"{VERSION} {network_digest(network)} {calibration.digest()}"
    return hashlib.sha256(parts.encode()).hexdigest()
