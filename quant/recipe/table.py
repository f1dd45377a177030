"""The independent table: every layer at every number of bits, each fitted alone.

Made in one pass of the float network over the calibration images. A policy is then only picked: the
weights of one entry, the input levels of another, and a bias that makes the mean output right for
this pair. 8 bits for both are plain rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from quant.fake_quant import as_tensor, input_scale
from quant.graph import Floats, Layer, Network, Node, Weights
from quant.policy import SIMULATED_BITS, Bits, Policy
from quant.pool import run_all, run_alone
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers
from quant.recipe.fit import nearest
from quant.recipe.levels import Sample, choose_levels, column_norms, join, take_sample
from quant.recipe.moments import Moments, moments_of, penalty
from quant.recipe.products import Pair, ProductTable, look_at_product, make_product_table
from quant.recipe.rounding import objective, round_weights
from quant.recipe.rows import as_columns, as_groups, columns_of, sample_places, take_rows
from quant.recipe.stream import Batch, Values, read, run_float

SAMPLES, POSITIONS, BATCH = 2000, 64, 10
RIDGE = 0.02
PLAIN = 8


@dataclass(frozen=True)
class WeightEntry:
    """Integers (`Layer.weight_shape`), scales (c_out,), and their error.

    Dense weights have the input's spread multiplied in. An error is a share of the variance of the
    layer's output.
    """

    integers: Floats
    scale: Floats
    error: float


@dataclass(frozen=True)
class InputEntry:
    """Levels, the mean change (c_in,) in units of the spread that they bring, and their error."""

    levels: InputLevels
    change: Floats
    error: float


@dataclass(frozen=True)
class LayerTable:
    """Entries of a layer by bits.

    `mean` is that of the float rows, `inside` the share of rows that are not padding, both
    (groups, K). `spread` (c_in,) is what weights have multiplied in, None for ones. The plain
    entries have none: they are for 8 bits on both sides, and for weights of 8 bits alone.
    """

    weights: Mapping[int, WeightEntry]
    inputs: Mapping[int, InputEntry]
    plain_weights: WeightEntry
    plain_inputs: InputEntry | None
    mean: Floats
    inside: Floats
    spread: Floats | None


Table = LayerTable | ProductTable


class TableQuantizer:
    """Picks layers from tables by their own bits alone."""

    def __init__(self, network: Network, tables: Mapping[str, Table]) -> None:
        self.network, self.tables = network, tables

    def layers(self, policy: Policy) -> QuantizedLayers:
        """Every layer of the policy by name; 16 and 32 bits are left in float32."""
        return {
            layer.name: self.layer(layer, policy[layer.name]) for layer in self.network.graph.layers
        }

    def layer(self, layer: Layer, bits: Bits) -> QuantizedLayer:
        """One layer at its bits."""
        table = self.tables[layer.name]
        if isinstance(table, ProductTable):
            return table.layer(bits)
        floats = self.network.weights[layer.name]
        weights, inputs = table.weights.get(bits.weight), table.inputs.get(bits.activation)
        if bits.weight == PLAIN and bits.activation >= PLAIN:
            weights = table.plain_weights
            inputs = table.plain_inputs if bits.activation == PLAIN else None
        elif inputs is None and weights is not None and table.spread is not None:
            return weights_alone(layer, floats, table, weights)
        return compose(layer, floats, table, weights, inputs)


def weights_alone(
    layer: Layer, floats: Weights, table: LayerTable, weights: WeightEntry
) -> QuantizedLayer:
    """A layer whose input stays float: its weights, as floats, with the spread taken out again."""
    assert table.spread is not None
    rounded = weights.integers / weights.scale.reshape(-1, *[1] * (weights.integers.ndim - 1))
    spread = as_columns(layer, table.spread).reshape(1, *weights.integers.shape[1:]).numpy()
    used = rounded / spread
    lost = as_groups(layer, torch.from_numpy(floats.weight - used))
    change = (lost @ torch.from_numpy(table.mean)[..., None]).flatten().numpy()
    return QuantizedLayer(used, None, floats.bias + change, None)


def compose(
    layer: Layer,
    floats: Weights,
    table: LayerTable,
    weights: WeightEntry | None,
    inputs: InputEntry | None,
) -> QuantizedLayer:
    """A layer of two entries; None stands for float. The mean output is that of the float layer."""
    if weights is None and inputs is None:
        return QuantizedLayer(floats.weight, None, floats.bias, None)
    exact = as_groups(layer, torch.from_numpy(floats.weight))
    mean = torch.from_numpy(table.mean)
    wanted = (exact @ mean[..., None])[..., 0].flatten() + torch.from_numpy(floats.bias)
    levels = None if inputs is None else inputs.levels
    uneven = columns_of(layer, levels)
    if weights is None:
        used, scale = exact * uneven, None
        stored = used
    else:
        stored = as_groups(layer, torch.from_numpy(weights.integers))
        scale = torch.from_numpy(weights.scale).reshape(layer.groups, -1, 1)
        if layer.is_depthwise:
            scale = (scale / uneven)[..., :1]
        used = stored / scale
    seen = mean_of_rows(layer, table, inputs, uneven)
    bias = wanted - (used @ seen[..., None])[..., 0].flatten()
    return QuantizedLayer(
        stored.reshape(layer.weight_shape).contiguous().numpy(),
        None if scale is None else scale.flatten().contiguous().numpy(),
        bias.numpy(),
        levels,
    )


def mean_of_rows(
    layer: Layer, table: LayerTable, inputs: InputEntry | None, uneven: Tensor
) -> Tensor:
    """Mean (groups, K) of the integers over their scale."""
    mean, inside = torch.from_numpy(table.mean), torch.from_numpy(table.inside)
    if inputs is None:
        return mean
    if inputs.levels.offset is not None:
        mean = mean - inside * as_columns(layer, inputs.levels.offset)
    return mean / uneven[:, 0] + inside * as_columns(layer, inputs.change)


@dataclass(frozen=True)
class Seen:
    """What the images tell of a layer's input: some values, and the moments of its rows."""

    sample: Sample
    moments: Moments


def make_tables(
    network: Network,
    images: Tensor,
    bits: tuple[int, ...] = SIMULATED_BITS,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Table]:
    """Tables of all layers from normalised images (N, C, H, W); `advance` after every layer."""
    seen = observe(network, images)
    image = network.graph.nodes[0].name

    def work(node: Node) -> tuple[str, Table]:
        assert node.layer is not None
        of_layer = seen[node.name]
        if isinstance(of_layer, Seen):
            given = network.weights[node.name], of_layer, bits, node.inputs[0] == image
            made: Table = make_table(node.layer, *given)
        else:
            made = make_product_table(of_layer, bits)
        advance()
        return node.name, made

    return dict(run_all(work, [node for node in network.graph.nodes if node.layer]))


def observe(network: Network, images: Tensor) -> dict[str, Seen | Pair]:
    """What the images tell of every layer's input, layer by layer: rows are held of one alone."""
    batches = torch.split(images, BATCH)
    values = Values[Batch](network.graph.nodes, batches)
    found: dict[str, Seen | Pair] = {}
    for node in network.graph.nodes[1:]:
        weights = network.weights.get(node.name)
        if node.layer is not None and node.layer.is_product:
            found[node.name] = look_at_product([values[name] for name in node.inputs], SAMPLES)
        elif node.layer is not None and weights is not None:
            found[node.name] = look(node.layer, weights, values[node.inputs[0]])
        run_float(values, node, weights)
    return found


def look(layer: Layer, floats: Weights, batches: Sequence[Batch]) -> Seen:
    """What all batches tell of one layer's input."""
    columns = as_groups(layer, torch.from_numpy(floats.weight))
    share = max(1, SAMPLES // len(batches))
    parts = run_all(
        lambda index: take(layer, read(batches[index]), index, share), range(len(batches))
    )
    moments = run_alone(lambda: moments_of([(rows, rows @ columns.mT) for _, rows in parts]))
    return Seen(join([sample for sample, _ in parts]), moments)


def take(layer: Layer, value: Tensor, seed: int, share: int) -> tuple[Sample, Tensor]:
    """Some values of an input (N, C, H, W) and its rows (groups, M, K), as copies."""
    places = sample_places(layer, len(value), POSITIONS, torch.Generator().manual_seed(seed))
    sample = take_sample(value, share)
    copied = replace(sample, values=sample.values.clone())
    return copied, take_rows(layer, value, places)


def make_table(
    layer: Layer, floats: Weights, seen: Seen, bits: tuple[int, ...], is_image: bool
) -> LayerTable:
    """All entries of one layer."""
    weight = torch.from_numpy(floats.weight)
    columns = as_groups(layer, weight)
    sample, moments = seen.sample, seen.moments
    variance = float(objective(columns, moments.xx).sum().clamp(min=1e-20))

    def entry(width: int, spread: bool) -> InputEntry:
        levels = choose_levels(layer, sample, weight, width, spread, not is_image)
        return input_entry(layer, sample, weight, levels, variance)

    inputs = {b: entry(b, True) for b in bits if not (is_image and b == PLAIN)}
    # A depthwise spread differs from bits to bits; it goes into the scales of the weights.
    held = None if layer.is_depthwise else inputs[min(bits)].levels
    even, uneven = torch.ones(1, 1, 1), columns_of(layer, held)
    weights = {b: weight_entry(layer, columns, uneven, moments, b, variance) for b in bits}
    return LayerTable(
        weights,
        inputs,
        weight_entry(layer, columns, even, moments, PLAIN, variance),
        None if is_image else entry(PLAIN, False),
        moments.mean_x.numpy(),
        inside_of(layer).numpy(),
        None if held is None else held.spread,
    )


def weight_entry(
    layer: Layer, columns: Tensor, spread: Tensor, moments: Moments, bits: int, variance: float
) -> WeightEntry:
    """Weights (G, R, K) times the spread, rounded for rows divided by it."""
    hessian = moments.xx / spread.mT / spread
    target = columns * spread
    if bits >= PLAIN:
        rounded = nearest(target, bits)
    else:
        rounded = round_weights(target, hessian + penalty(hessian, RIDGE), bits)
    lost = objective(target - rounded.weights, hessian).sum()
    return WeightEntry(
        rounded.integers.reshape(layer.weight_shape).contiguous().numpy(),
        rounded.scale.flatten().contiguous().numpy(),
        float(lost) / variance,
    )


def input_entry(
    layer: Layer, sample: Sample, weight: Tensor, levels: InputLevels, variance: float
) -> InputEntry:
    """What levels change in the mean and lose in the layer's output."""
    cpu = torch.device("cpu")
    spread = torch.ones(1) if levels.spread is None else torch.from_numpy(levels.spread)
    offset = torch.zeros(1) if levels.offset is None else torch.from_numpy(levels.offset)
    centred = sample.values - offset
    scaled = centred * as_tensor(input_scale(levels), cpu)
    integers = scaled.round_().clamp_(levels.low, levels.high)
    change = integers / levels.scale - centred / spread
    power = (column_norms(layer, weight) * spread).square()
    lost = float((change.square().mean(0) * power).sum())
    mean: Floats = change.mean(0).numpy().astype(np.float32)
    return InputEntry(levels, mean, lost / variance)


def inside_of(layer: Layer) -> Tensor:
    """Share of output places at which each column (groups, K) is not padding."""
    ones = torch.ones(1, layer.c_in, *layer.in_size)
    places = sample_places(layer, 1, layer.out_size[0] * layer.out_size[1], torch.Generator())
    return take_rows(layer, ones, places).mean(1)
