"""Energy of an image, from what a multiply-accumulate and a moved byte take: an estimate.

The weights and inputs of every layer are moved once each, at their bits, and of a product both of
its values; caches, leakage and all other operations are left out. The packaged table's numbers are
named in its file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf, prod
from pathlib import Path
from typing import Any

from env.actions import Choices
from haq.cost.additive import AdditiveCost, by_name
from haq.cost.relative import Reference
from haq.store.run_folder import read_bytes
from quant.errors import InputError, PolicyError
from quant.graph import Graph, Layer
from quant.policy import FLOAT_BITS, Bits

DEFAULT_TABLE = Path(__file__).with_name("energy_45nm.json")
PJ_PER_MJ = 1e9


@dataclass(frozen=True)
class EnergyTable:
    """Picojoules of a multiply-accumulate by (weight bits, activation bits), and of a moved byte.

    `digest` is the SHA-256 of the file that lies at `path`.
    """

    mac_pj: Mapping[tuple[int, int], float]
    byte_pj: float
    path: Path
    digest: str

    @property
    def reference(self) -> Reference:
        """The float network where the table has its 32 bits, else uniform W8A8."""
        return "float" if (FLOAT_BITS, FLOAT_BITS) in self.mac_pj else "W8A8"

    def mac(self, bits: Bits) -> float:
        """Picojoules of a multiply-accumulate, by the cheapest unit wide enough for both numbers.

        Raises PolicyError where there is none.
        """
        if bits not in self._known:
            self._known[bits] = self._cheapest(bits)
        return self._known[bits]

    @cached_property
    def _known(self) -> dict[Bits, float]:
        return {}

    def _cheapest(self, bits: Bits) -> float:
        wide = [
            pj
            for (weight, activation), pj in self.mac_pj.items()
            if weight >= bits.weight and activation >= bits.activation
        ]
        if not wide:
            raise PolicyError(
                f"the energy table has nothing as wide as W{bits.weight}A{bits.activation}"
            )
        return min(wide)


def read_energy(path: Path | None = None) -> EnergyTable:
    """Read `{"mac_pj": {"8x8": 0.3, ...}, "byte_pj": 160}`, by default the packaged table.

    A key of `mac_pj` is weight bits x activation bits; other keys of the table are for people.
    Raises InputError for anything else.
    """
    path = path or DEFAULT_TABLE
    data = read_bytes(path)
    try:
        table = json.loads(data)
        mac_pj = {read_pair(key): positive(pj) for key, pj in table["mac_pj"].items()}
        byte_pj = positive(table["byte_pj"])
        found = EnergyTable(mac_pj, byte_pj, path, hashlib.sha256(data).hexdigest())
        found.mac(Bits(8, 8))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, PolicyError):
        raise InputError(
            f'{path} is no energy table: it needs "byte_pj" and "mac_pj", such as '
            '{"8x8": 0.3}, up to at least 8x8, in picojoules above 0'
        ) from None
    return found


def read_pair(key: str) -> tuple[int, int]:
    """`4x8` as numbers. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,2})x(\d{1,2})", key)
    if match is None:
        raise ValueError(key)
    return int(match[1]), int(match[2])


def positive(value: Any) -> float:
    """A number above 0. Raises TypeError or ValueError."""
    if not 0 < value < inf:
        raise ValueError(value)
    return float(value)


def layer_energy(layer: Layer, bits: Bits, table: EnergyTable) -> float:
    """Millijoules of a layer for one image."""
    inputs = layer.c_in * prod(layer.in_size)
    moved_bytes = (layer.factor_count * bits.weight + inputs * bits.activation) / 8
    return (layer.macs * table.mac(bits) + moved_bytes * table.byte_pj) / PJ_PER_MJ


def energy_cost(graph: Graph, choices: Choices, table: EnergyTable) -> AdditiveCost:
    """Millijoules for one image."""
    return AdditiveCost(by_name(graph), choices, "mJ", partial(layer_energy, table=table))
