"""Products of attention: levels of both of their values, each chosen alone.

Neither has a spread or an offset: what these do to one value the other one would have to make good
while the network runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from quant.policy import Bits
from quant.pool import run_all
from quant.quantized import InputLevels, QuantizedLayer, quantized_product
from quant.recipe.levels import Kind, Sample, dense_levels, join, take_sample
from quant.recipe.stream import Batch, read

Pair = tuple[Sample, Sample]
"""Samples of the first and of the second value."""
WIDEST = 8
SMALLEST = 1e-20


@dataclass(frozen=True)
class LevelsEntry:
    """Levels of a value, and their squared error as a share of its square."""

    levels: InputLevels
    error: float


@dataclass(frozen=True)
class ProductTable:
    """Entries of the two values by bits: `inputs` of the first, `weights` of the second."""

    weights: Mapping[int, LevelsEntry]
    inputs: Mapping[int, LevelsEntry]

    def layer(self, bits: Bits) -> QuantizedLayer:
        """The product at its bits; what the table does not hold stays float."""
        found = self.inputs.get(bits.activation), self.weights.get(bits.weight)
        first, second = (entry.levels if entry else None for entry in found)
        return quantized_product(first, second)


def make_product_table(seen: Pair, bits: Sequence[int]) -> ProductTable:
    """All entries of one product."""
    first, second = ({width: entry_of(sample, width) for width in bits} for sample in seen)
    return ProductTable(second, first)


def quantize_product(seen: Pair, bits: Bits) -> QuantizedLayer:
    """One product at its bits; 16 and 32 are left in float32."""
    widths = [width for width in (bits.weight, bits.activation) if width <= WIDEST]
    return make_product_table(seen, widths).layer(bits)


def entry_of(sample: Sample, bits: int) -> LevelsEntry:
    """Levels of least squared error, unsigned where nothing is negative."""
    even = torch.ones(sample.values.shape[1])
    kind: Kind = "unsigned" if bool((sample.low >= 0).all()) else "signed"
    levels = dense_levels(sample, even, kind, None, bits)
    integers = (sample.values * levels.scale).round_().clamp_(levels.low, levels.high)
    lost = (integers / levels.scale - sample.values).square().mean()
    return LevelsEntry(levels, float(lost / sample.values.square().mean().clamp(min=SMALLEST)))


def look_at_product(inputs: Sequence[Sequence[Batch]], samples: int) -> Pair:
    """Samples of both values from all batches."""
    share = max(1, samples // len(inputs[0]))
    first, second = (
        join(run_all(lambda batch: copied(take_sample(read(batch), share)), batches))
        for batches in inputs
    )
    return first, second


def copied(sample: Sample) -> Sample:
    """A sample that does not hold the whole value."""
    return Sample(sample.values.clone(), sample.low, sample.high)
