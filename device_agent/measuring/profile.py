"""Isolated latencies: every layer alone, and every producer with its direct consumer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.random import default_rng

from device_agent.measuring.blocks import Load, Stopping, Timed, collect
from device_agent.measuring.candidates import Workshop
from device_agent.measuring.conditions import conditions
from device_agent.measuring.cooling import Cooling
from device_agent.measuring.cores import stay_on
from device_agent.measuring.measure import load_run
from device_agent.measuring.prediction import FLOAT
from device_agent.measuring.profile_check import check_table
from device_agent.measuring.room import BLOBS, SHARE, groups, loaded_bytes, room_bytes
from device_agent.measuring.rounds import REFERENCES, ratios
from device_agent.measuring.timing import Timing
from device_agent.models.networks import FloatNetwork
from quant.errors import InputError, PolicyError
from quant.graph import Floats
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, capabilities

MIN_SAMPLE_MS = 0.3
"""Single layers take microseconds: they are repeated within a sample until it lasts this long."""
ALL_ROUNDS = 0.0
"""No interval is this narrow: a table takes all of its rounds."""


@dataclass(frozen=True)
class Piece:
    """A network of one layer, or of a producer and its consumer, at chosen bits."""

    layers: tuple[NcnnLayer, ...]
    source: str
    bits: Mapping[str, int]


def profile(
    network: FloatNetwork,
    layers: Sequence[str] | None,
    bits: Sequence[int],
    rounds: int,
    checks: int,
    timing: Timing,
) -> dict[str, Any]:
    """The answer of `/v1/profile` but for what the cache adds.

    `checks` random policies are measured beside the table's prediction. Raises PolicyError for an
    unknown layer or a missing range, InputError for cores that are not there or for checks of a
    table that cannot predict.
    """
    wanted = chosen_layers(network.layers, layers)
    if checks and (layers is not None or FLOAT not in bits):
        raise InputError("only a table of all layers that has 32 bits can be checked")
    stay_on(timing.cores)
    singles = [piece for layer in wanted for piece in single_pieces(layer, bits)]
    pairs = [piece for layer in wanted for piece in pair_pieces(network.layers, layer, bits)]
    with TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), capabilities(), timing.threads)
        pieces = [empty_piece(), *singles, *pairs]
        times, base_ms = time_pieces(network, pieces, workshop, rounds, timing)
        overhead_ms, *times = times
        table = {
            "reference_ms": base_ms,
            "overhead_ms": overhead_ms,
            "layers": layer_table(singles, times[: len(singles)]),
            "pairs": pair_table(pairs, times[len(singles) :]),
        }
        check = check_table(network, table, bits, checks, workshop, timing) if checks else None
    return {
        **table,
        "check": check,
        "conditions": conditions(timing.threads, timing.choose_clock()[0]),
    }


def chosen_layers(layers: Sequence[NcnnLayer], names: Sequence[str] | None) -> list[NcnnLayer]:
    """Weighted layers by name, or all of them."""
    weighted = {layer.name: layer for layer in layers if layer.is_weighted}
    unknown = [name for name in names or () if name not in weighted]
    if unknown:
        raise PolicyError(f"the network has no layer {unknown[0]}")
    return list(weighted.values()) if names is None else [weighted[name] for name in names]


def single_pieces(layer: NcnnLayer, bits: Sequence[int]) -> list[Piece]:
    """Input -> layer, at each of the bits."""
    alone = replace(layer, inputs=(INPUT_BLOB,), outputs=(OUTPUT_BLOB,))
    return [Piece((entry(), alone), layer.inputs[0], {layer.name: b}) for b in bits]


def empty_piece() -> Piece:
    """A network that only passes its input on: what calling a network costs by itself."""
    return Piece(
        (entry(), NcnnLayer("Split", "pass", (INPUT_BLOB,), (OUTPUT_BLOB,))), INPUT_BLOB, {}
    )


def entry() -> NcnnLayer:
    """The Input of a small network."""
    return NcnnLayer("Input", "input", (), (INPUT_BLOB,))


def pair_pieces(
    layers: Sequence[NcnnLayer], consumer: NcnnLayer, bits: Sequence[int]
) -> list[Piece]:
    """Input -> producer -> consumer at each pair of bits; nothing for a consumer without one."""
    found = producer_of(layers, consumer.inputs[0])
    if found is None:
        return []
    producer, split = found
    chain = (
        entry(),
        replace(producer, inputs=(INPUT_BLOB,)),
        *(split_with_other_readers(split, consumer.inputs[0]) if split else ()),
        replace(consumer, outputs=(OUTPUT_BLOB,)),
    )
    source = producer.inputs[0]
    return [
        Piece(chain, source, {producer.name: first, consumer.name: second})
        for first, second in product(bits, bits)
    ]


def producer_of(
    layers: Sequence[NcnnLayer], blob: str
) -> tuple[NcnnLayer, NcnnLayer | None] | None:
    """Weighted layer that gives a blob, and the Split between, if any."""
    by_output = {output: layer for layer in layers for output in layer.outputs}
    first = by_output[blob]
    if first.is_weighted:
        return first, None
    if first.type == "Split" and by_output[first.inputs[0]].is_weighted:
        return by_output[first.inputs[0]], first
    return None


def split_with_other_readers(split: NcnnLayer, kept: str) -> tuple[NcnnLayer, ...]:
    """The Split, with a stand-in for every reader outside of the pair.

    Stand-ins are never computed, since nothing asks for their outputs, but they keep the producer
    from requantizing to int8 as the readers in the whole network do.
    """
    others = [blob for blob in split.outputs if blob != kept]
    return split, *(NcnnLayer("ReLU", f"{b}_end", (b,), (f"{b}_end",)) for b in others)


def time_pieces(
    network: FloatNetwork,
    pieces: Sequence[Piece],
    workshop: Workshop,
    rounds: int,
    timing: Timing,
) -> tuple[list[float], float]:
    """Milliseconds of each piece, and of the whole float network in the same rounds.

    As many pieces as there is room for take turns with the float network.
    """
    whole = workshop.float32(network.layers)
    image = timing.image(network.input_shape)
    inputs = source_blobs(whole.load(), image, {piece.source for piece in pieces})
    sizes = [loaded_bytes(p.layers) + BLOBS * inputs[p.source].nbytes for p in pieces]
    found: list[float] = []
    references: list[float] = []
    for group in groups(sizes, SHARE * room_bytes()):
        loads = [partial(load_run, whole, image)] * REFERENCES
        for piece in (pieces[index] for index in group):
            mixed = workshop.mixed(piece.layers, piece.bits, network.ranges)
            loads.append(partial(load_run, mixed, inputs[piece.source]))
        timed = time_group(loads, rounds, timing)
        found += np.median(ratios(timed.samples[timed.steady]), axis=(0, 1)).tolist()
        references.append(timed.reference_ms)
    reference_ms = float(np.median(references))
    return [ratio * reference_ms for ratio in found], reference_ms


def time_group(loads: Sequence[Load], rounds: int, timing: Timing) -> Timed:
    """So many rounds of networks, the references first."""
    return collect(
        loads,
        timing.choose_clock()[1],
        Stopping(ALL_ROUNDS, rounds, rounds, math.inf),
        default_rng([timing.seed, 1]),
        MIN_SAMPLE_MS,
        settle=Cooling(timing.cool_to_c).wait,
        alike=False,
    )


def source_blobs(whole: Engine, image: Floats, names: set[str]) -> dict[str, Floats]:
    """Blobs that the pieces read, as the whole float network computes them."""
    inner = sorted(names - {INPUT_BLOB})
    return {INPUT_BLOB: image, **whole.blobs(image, inner)}


def layer_table(pieces: Sequence[Piece], times: Sequence[float]) -> dict[str, dict[str, float]]:
    """`{layer: {bits: ms}}`."""
    table: dict[str, dict[str, float]] = {}
    for piece, ms in zip(pieces, times, strict=True):
        ((name, bits),) = piece.bits.items()
        table.setdefault(name, {})[str(bits)] = ms
    return table


def pair_table(pieces: Sequence[Piece], times: Sequence[float]) -> list[dict[str, Any]]:
    """`[{"producer", "consumer", "ms": {"8,16": ms}}]`."""
    table: dict[tuple[str, str], dict[str, float]] = {}
    for piece, ms in zip(pieces, times, strict=True):
        (producer, first), (consumer, second) = piece.bits.items()
        table.setdefault((producer, consumer), {})[f"{first},{second}"] = ms
    return [{"producer": p, "consumer": c, "ms": ms} for (p, c), ms in table.items()]
