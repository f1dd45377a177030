"""A policy: bits of weights and activations, layer by layer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quant.errors import PolicyError

VERSION = 1
SIMULATED_BITS = tuple(range(2, 9))
ENGINE_BITS = (8, 16, 32)
FLOAT_BITS = 32
ALLOWED_BITS = frozenset({*SIMULATED_BITS, *ENGINE_BITS})
SHARED_BITS = tuple(range(1, 9))
"""Bits of the indexes of weights that share few values (`quant.kmeans`)."""


@dataclass(frozen=True)
class Bits:
    """Bits of a layer's weights and of its input activations; 32 is float.

    Weights of 1 bit are for k-means alone: integers of either sign take 2.
    """

    weight: int
    activation: int

    def __post_init__(self) -> None:
        if self.activation not in ALLOWED_BITS:
            raise PolicyError(f"{self.activation} bits are not supported: choose 2 to 8, 16 or 32")
        if self.weight not in ALLOWED_BITS | set(SHARED_BITS):
            raise PolicyError(
                f"{self.weight} bits are not supported: choose 2 to 8, 16 or 32, or 1 for weights "
                "shared by k-means"
            )

    @property
    def engine(self) -> int | None:
        """The single width that ncnn can run, or None where the pair can only be simulated."""
        tied = self.weight == self.activation and self.weight in ENGINE_BITS
        return self.weight if tied else None


@dataclass(frozen=True)
class Policy:
    """Bits by layer name, in the order of the network."""

    layers: Mapping[str, Bits]

    def __hash__(self) -> int:
        return hash(frozenset(self.layers.items()))

    def __getitem__(self, name: str) -> Bits:
        return self.layers[name]

    @property
    def is_deployable(self) -> bool:
        """Whether ncnn can execute every layer (8, 16 or 32, weights tied to activations)."""
        return all(bits.engine is not None for bits in self.layers.values())

    def engine_bits(self) -> dict[str, int]:
        """Layer name -> 8, 16 or 32. Raises PolicyError where a layer can only be simulated."""
        chosen = {}
        for name, bits in self.layers.items():
            if bits.engine is None:
                raise PolicyError(
                    f"layer {name} has W{bits.weight}A{bits.activation}, which ncnn cannot run: "
                    "only 8, 16 and 32 can be deployed"
                )
            chosen[name] = bits.engine
        return chosen

    def key(self) -> str:
        """SHA-256 of the canonical text: equal policies have equal keys."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def replace(self, name: str, bits: Bits) -> Policy:
        """The same policy with one layer changed."""
        return Policy({**self.layers, name: bits})

    def check_names(self, names: Sequence[str]) -> None:
        """Raise PolicyError unless the policy names exactly these layers."""
        missing = [name for name in names if name not in self.layers]
        unknown = sorted(set(self.layers) - set(names))
        if missing or unknown:
            raise PolicyError(
                "the policy does not fit the network: "
                f"{len(missing)} layers missing {missing[:3]}, {len(unknown)} unknown {unknown[:3]}"
            )

    def to_json(self) -> dict[str, object]:
        """`{"version": 1, "layers": {name: {"weight": 8, "activation": 8}, ...}}`."""
        layers = {
            n: {"weight": b.weight, "activation": b.activation} for n, b in self.layers.items()
        }
        return {"version": VERSION, "layers": layers}

    @staticmethod
    def from_json(data: object) -> Policy:
        """Inverse of `to_json`. Raises PolicyError for anything else."""
        if not isinstance(data, dict) or not isinstance(data.get("layers"), dict):
            raise PolicyError("a policy is a JSON object with 'version' and 'layers'")
        if data.get("version") != VERSION:
            raise PolicyError(
                f"policy version {data.get('version')} is unknown, expected {VERSION}"
            )
        return Policy(
            {str(name): parse_bits(name, entry) for name, entry in data["layers"].items()}
        )


def parse_bits(name: object, entry: object) -> Bits:
    """Read `{"weight": int, "activation": int}`."""
    if not isinstance(entry, dict) or set(entry) != {"weight", "activation"}:
        raise PolicyError(f"layer {name}: expected weight and activation bits, got {entry!r:.60}")
    values = (entry["weight"], entry["activation"])
    if any(isinstance(v, bool) or not isinstance(v, int) for v in values):
        raise PolicyError(f"layer {name}: bits are whole numbers, got {entry!r:.60}")
    return Bits(*values)


def uniform(names: Sequence[str], weight: int, activation: int, ends: int | None = None) -> Policy:
    """The same bits everywhere; `ends` are the bits of the first and last layer if they differ."""
    chosen = dict.fromkeys(names, Bits(weight, activation))
    if ends is not None:
        chosen |= {names[0]: Bits(ends, ends), names[-1]: Bits(ends, ends)}
    return Policy(chosen)


def from_short_name(text: str, names: Sequence[str]) -> Policy | None:
    """Policy of `8`, `16`, `32` (everywhere) or `wNaM` (first and last layer at 8, as in HAQ).

    `wNa32` quantizes weights alone, and those of every layer.
    """
    if text in {"8", "16", "32"}:
        return uniform(names, int(text), int(text))
    match = re.fullmatch(r"w(\d+)a(\d+)", text.lower())
    if match is None:
        return None
    weight, activation = int(match[1]), int(match[2])
    return uniform(names, weight, activation, ends=None if activation == FLOAT_BITS else 8)
