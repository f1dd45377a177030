"""Isolated latencies: every layer alone, and every producer with its direct consumer."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.random import default_rng

from device_agent.measure import choose_clock, float_engine, input_image, mixed_engine
from device_agent.networks import FloatNetwork
from device_agent.rounds import (
    REFERENCES,
    Run,
    ratios,
    reference_ms,
    repeats_for,
    sample_rounds,
    warm_up,
)
from device_agent.statistics import Samples
from quant.errors import PolicyError
from quant.graph import Floats
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, capabilities

MIN_SAMPLE_MS = 0.3
"""Single layers take microseconds: they are repeated within a sample until it lasts this long."""


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
    seed: int,
) -> dict[str, Any]:
    """The answer of `/v1/profile`. Raises PolicyError for an unknown layer or a missing range."""
    wanted = chosen_layers(network.layers, layers)
    singles = [piece for layer in wanted for piece in single_pieces(layer, bits)]
    pairs = [piece for layer in wanted for piece in pair_pieces(network.layers, layer, bits)]
    times, base_ms = time_pieces(network, [empty_piece(), *singles, *pairs], rounds, seed)
    overhead_ms, *times = times
    return {
        "reference_ms": base_ms,
        "overhead_ms": overhead_ms,
        "layers": layer_table(singles, times[: len(singles)]),
        "pairs": pair_table(pairs, times[len(singles) :]),
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
    network: FloatNetwork, pieces: Sequence[Piece], rounds: int, seed: int
) -> tuple[list[float], float]:
    """Milliseconds of each piece, and of the whole float network in the same rounds."""
    references = [float_engine(network.layers, threads=1) for _ in range(REFERENCES)]
    image = input_image(network.input_shape, seed)
    inputs = source_blobs(references[0], image, {piece.source for piece in pieces})
    able = capabilities()
    engines = [mixed_engine(p.layers, p.bits, network.ranges, able, threads=1) for p in pieces]
    runs = [partial(engine.run, image) for engine in references]
    runs += [partial(e.run, inputs[p.source]) for e, p in zip(engines, pieces, strict=True)]
    samples = time_runs(runs, rounds, seed)
    base_ms = reference_ms(samples)
    return [float(ratio * base_ms) for ratio in np.median(ratios(samples), axis=0)], base_ms


def source_blobs(whole: Engine, image: Floats, names: set[str]) -> dict[str, Floats]:
    """Blobs that the pieces read, as the whole float network computes them."""
    inner = sorted(names - {INPUT_BLOB})
    return {INPUT_BLOB: image, **whole.blobs(image, inner)}


def time_runs(runs: Sequence[Run], rounds: int, seed: int) -> Samples:
    """Milliseconds (rounds, runs) of thread CPU time."""
    clock = choose_clock(threads=1)[1]
    gc.disable()
    try:
        warm_up(runs[0], clock)
        repeats = [repeats_for(run, clock, MIN_SAMPLE_MS) for run in runs]
        return np.array(
            list(islice(sample_rounds(runs, repeats, clock, default_rng([seed, 1])), rounds))
        )
    finally:
        gc.enable()


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
