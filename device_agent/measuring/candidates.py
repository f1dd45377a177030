"""Networks that wait on disk to be loaded and timed, as often as that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from quant.ncnn.build import dump, mixed_layers
from quant.ncnn.capabilities import Bits16, Capabilities
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, write_files


@dataclass(frozen=True)
class Candidate:
    """A network's files, and how it is loaded."""

    param_file: Path
    bin_file: Path
    bits16: Bits16 = "none"
    threads: int = 1

    def load(self) -> Engine:
        """The network in memory: a new place for it each time. Raises FormatError."""
        return Engine(self.param_file, self.bin_file, self.bits16, self.threads)


class Workshop:
    """Builds candidates in a folder: weights are quantized once, however often they are loaded."""

    def __init__(self, folder: Path, able: Capabilities, threads: int) -> None:
        self._folder, self._able, self._threads = folder, able, threads
        self._numbers = count()

    def float32(self, layers: Sequence[NcnnLayer]) -> Candidate:
        """The network in float32."""
        return self._write(layers, "none")

    def mixed(
        self, layers: Sequence[NcnnLayer], bits: Mapping[str, int], ranges: Mapping[str, float]
    ) -> Candidate:
        """The network at the bits of a policy; 16-bit types are on only where a layer has them.

        Raises PolicyError where ncnn cannot run it.
        """
        mixed = mixed_layers(layers, bits, ranges, self._able)
        return self._write(mixed, self._able.bits16 if 16 in bits.values() else "none")

    def _write(self, layers: Sequence[NcnnLayer], bits16: Bits16) -> Candidate:
        files = write_files(self._folder, *dump(layers), name=str(next(self._numbers)))
        return Candidate(*files, bits16, self._threads)
