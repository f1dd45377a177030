"""A board without a machine: latencies are sums over layers and neighbours, without any noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

from haq.board import Board, Device, Latency, Profile
from quant.errors import BoardInvalidError, BoardLostError
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import capabilities
from quant.policy import ENGINE_BITS, Policy, uniform

OVERHEAD_MS = 0.01
ISOLATED = 1.25
"""Isolated layers seem to save this much more than they do."""
CONVERSION_MS = 0.004


class SimulatedBoard(Board):
    """Layers in a chain; 8 bits save up to half of a layer's time, or lose a third.

    `calls` are the policies of every measurement by key; `lost_at` is the number of the
    measurement, from 1, at which the board is lost.
    """

    def __init__(self, lost_at: int | None = None, url: str = "http://simulated.test") -> None:
        super().__init__(url)
        self.lost_at = lost_at
        self.calls: list[list[str]] = []
        self.profiled: list[str] = []
        self.names: tuple[str, ...] = ()

    def describe(self) -> Device:
        able = capabilities()
        return Device(
            cpu="simulated",
            machine="x86_64",
            instruction_sets=("avx2",),
            cores=1,
            memory_bytes=2**30,
            ncnn_version="1.0",
            arch=able.arch,
            bits16=able.bits16,
            types16=able.types16,
            max_policies=32,
        )

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        self.names = tuple(ranges)
        return "simulated"

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Latency]:
        if not self.names:
            raise BoardInvalidError("the board has no network to measure: upload one first")
        if len(self.calls) + 1 == self.lost_at:
            raise BoardLostError("the device agent was lost")
        self.calls.append([policy.key() for policy in policies])
        return [self.latency(policy) for policy in policies]

    def profile(
        self,
        layers: Sequence[str] | None = None,
        bits: Sequence[int] = ENGINE_BITS,
        **how: Any,
    ) -> Profile:
        wanted = self.names if layers is None else layers
        self.profiled += wanted
        table = {name: {b: isolated_ms(name, b) + OVERHEAD_MS for b in bits} for name in wanted}
        pairs = {
            (a, b): {
                (p, q): isolated_ms(a, p) + isolated_ms(b, q) + conversion_ms(p, q) + OVERHEAD_MS
                for p in bits
                for q in bits
            }
            for a, b in pairwise(self.names)
            if b in wanted
        }
        return Profile(table, pairs, self.milliseconds(self.floats()), OVERHEAD_MS)

    def latency(self, policy: Policy) -> Latency:
        reference_ms = self.milliseconds(self.floats())
        ratio = self.milliseconds(policy) / reference_ms
        return Latency(
            ratio=ratio,
            ratio_low=ratio * 0.998,
            ratio_high=ratio * 1.002,
            latency_ms=ratio * reference_ms,
            mad_ms=0.001,
            rounds=20,
            noise=0.0,
            checksum=policy.key(),
            reference_ms=reference_ms,
            conditions={"governor": None, "load_average": 0.0, "threads": 1},
        )

    def milliseconds(self, policy: Policy) -> float:
        widths = [policy[name].weight for name in self.names]
        alone = sum(layer_ms(name, b) for name, b in zip(self.names, widths, strict=True))
        return OVERHEAD_MS + alone + sum(conversion_ms(p, q) for p, q in pairwise(widths))

    def floats(self) -> Policy:
        return uniform(self.names, 32, 32)


def layer_ms(name: str, bits: int) -> float:
    """Milliseconds of a layer in the network."""
    return 0.1 * (1 - saving(name, bits))


def isolated_ms(name: str, bits: int) -> float:
    """Milliseconds of a layer alone."""
    return 0.1 * (1 - ISOLATED * saving(name, bits))


def saving(name: str, bits: int) -> float:
    """Share of a float layer's time, from -0.3 to 0.5; 16 bits save less."""
    share = crc32(name.encode()) % 1000 / 1000
    return {8: 0.8 * share - 0.3, 16: 0.1 * share, 32: 0.0}[bits]


def conversion_ms(producer: int, consumer: int) -> float:
    """Milliseconds for a change of type between neighbours."""
    return 0.0 if producer == consumer else CONVERSION_MS
