"""Latency tables from a file: HAQ's array of layers by bits, or what `haq profile` wrote.

Nothing here was measured in the search at hand: these costs are the table's.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from env.actions import Choices
from haq.board import Profile, read_profile
from haq.cost.additive import AdditiveCost, by_name
from haq.cost.latency import LatencyCost, make_prior
from haq.cost.relative import Relative, relative
from haq.store.run_folder import read_bytes
from quant.errors import InputError, PolicyError, one_line
from quant.graph import Graph, Layer
from quant.policy import ENGINE_BITS, Bits, Policy

WIDEST = 8
"""HAQ's tables hold 1 to 8 bits of weights and of activations."""


class Table(Protocol):
    """A latency table from a file."""

    @property
    def path(self) -> Path:
        """Where the file lies."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""

    @property
    def bits(self) -> frozenset[int]:
        """Widths that it holds."""

    @property
    def has_milliseconds(self) -> bool:
        """Whether its unit is known."""

    def check(self, names: Sequence[str], products: Collection[str] = ()) -> None:
        """Raise InputError unless the table is of these layers."""

    def check_policy(self, policy: Policy) -> None:
        """Raise PolicyError unless the table holds the bits of all layers."""

    def relative(self, graph: Graph, choices: Choices) -> Relative:
        """Its cost model beside its reference."""


@dataclass(frozen=True, eq=False)
class HaqTable:
    """`costs` (layers, 8, 8) by layer, weight bits - 1 and activation bits - 1, in any unit.

    The cost of a policy is a sum over its layers. There is no float network in it, so ratios are to
    uniform W8A8.
    """

    path: Path
    digest: str
    costs: NDArray[np.float64]
    bits = frozenset(range(1, WIDEST + 1))
    has_milliseconds = False

    def check(self, names: Sequence[str], products: Collection[str] = ()) -> None:
        """Raise InputError unless the table has as many layers."""
        if len(self.costs) != len(names):
            raise InputError(
                f"{self.path} holds {len(self.costs)} layers, but the network has {len(names)}"
            )

    def check_policy(self, policy: Policy) -> None:
        """Raise PolicyError where a layer has more than 8 bits."""
        for name, bits in policy.layers.items():
            if max(bits.weight, bits.activation) > WIDEST:
                raise PolicyError(
                    f"layer {name} has W{bits.weight}A{bits.activation}, but the table holds 1 to "
                    f"{WIDEST} bits"
                )

    def relative(self, graph: Graph, choices: Choices) -> Relative:
        """Costs in the table's own unit beside uniform W8A8."""
        rows = dict(zip(graph.layer_names, self.costs.tolist(), strict=True))

        def price(layer: Layer, bits: Bits) -> float:
            return float(rows[layer.name][bits.weight - 1][bits.activation - 1])

        model = AdditiveCost(by_name(graph), choices, "units of the table", price)
        return relative(model, graph.layer_names, "W8A8")


@dataclass(frozen=True, eq=False)
class ProfileTable:
    """What a board said of each layer and pair of neighbours at 8, 16 and 32 bits."""

    path: Path
    digest: str
    profile: Profile
    bits = frozenset(ENGINE_BITS)
    has_milliseconds = True

    def check(self, names: Sequence[str], products: Collection[str] = ()) -> None:
        """Raise InputError unless the profile is of exactly these layers but for the products."""
        found, wanted = set(self.profile.layers), set(names) - set(products)
        if found != wanted:
            raise InputError(
                f"{self.path} is of another network: {len(wanted - found)} layers missing, "
                f"{len(found - wanted)} unknown"
            )

    def check_policy(self, policy: Policy) -> None:
        """Raise PolicyError where ncnn cannot run a layer."""
        policy.engine_bits()

    def relative(self, graph: Graph, choices: Choices) -> Relative:
        """Ratios to the float network, read in milliseconds."""
        model = make_latency_cost(graph, choices, self.profile)
        return Relative(model, "float", 1.0, "ms", self.profile.reference_ms)


def make_latency_cost(graph: Graph, choices: Choices, profile: Profile) -> LatencyCost:
    """Cost model of a profiled board."""
    counts = {layer.name: layer.weight_count for layer in graph.layers}
    prior = make_prior(profile.layers, profile.pairs, profile.reference_ms, counts)
    return LatencyCost(choices, prior)


def read_table(path: Path) -> HaqTable | ProfileTable:
    """Read HAQ's `.npy` or the JSON of `haq profile`. Raises InputError for anything else."""
    data = read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix == ".npy":
        return HaqTable(path, digest, parse_array(path, data))
    return ProfileTable(path, digest, parse_profile(path, data))


def parse_array(path: Path, data: bytes) -> NDArray[np.float64]:
    """HAQ's array; nothing is unpickled. Raises InputError."""
    try:
        loaded = np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
        costs: NDArray[np.float64] = loaded.astype(np.float64, casting="same_kind")
    except Exception as error:
        # numpy's readers have errors of many kinds; the user needs the file and the cause.
        raise InputError(f"{path} is not a readable array: {one_line(error)}") from None
    if costs.ndim != 3 or costs.shape[1:] != (WIDEST, WIDEST):
        raise InputError(
            f"{path} holds an array of shape {costs.shape}: a table has (layers, 8, 8), "
            "by layer, weight bits and activation bits"
        )
    if not np.isfinite(costs).all() or costs.min(initial=0) < 0:
        raise InputError(f"{path} holds a cost that is negative or not a number")
    if costs[:, WIDEST - 1, WIDEST - 1].sum() == 0:
        raise InputError(f"{path} holds no cost at W8A8, to which ratios are taken")
    return costs


def parse_profile(path: Path, data: bytes) -> Profile:
    """What `haq profile` wrote, whole. Raises InputError."""
    try:
        profile = read_profile(json.loads(data))
        whole = (
            has_widths(profile) and are_times(times_of(profile)) and 0 < profile.reference_ms < inf
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        whole = False
    if not whole:
        raise InputError(
            f"{path} is no latency table: give what haq profile wrote, or HAQ's array as .npy"
        )
    return profile


def has_widths(profile: Profile) -> bool:
    """Whether every layer and pair has a time at 8, 16 and 32 bits, and pairs are of layers."""
    widths, both = set(ENGINE_BITS), set(product(ENGINE_BITS, repeat=2))
    return (
        all(set(times) >= widths for times in profile.layers.values())
        and all(set(times) >= both for times in profile.pairs.values())
        and all(name in profile.layers for pair in profile.pairs for name in pair)
    )


def times_of(profile: Profile) -> Iterator[float]:
    """All milliseconds of layers and pairs."""
    for times in profile.layers.values():
        yield from times.values()
    for table in profile.pairs.values():
        yield from table.values()


def are_times(values: Iterable[float]) -> bool:
    """Whether all are milliseconds. Raises TypeError for what is no number."""
    return all(0 <= value < inf for value in values)
