"""A whole policy quantized layer by layer in the order of the network.

Each layer is fitted to what the float network computes there, from the inputs that the quantized
layers before it really give: so it also makes good what these lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from quant.fake_quant import to_integers, to_tensors
from quant.graph import Floats, Layer, Network, Node
from quant.policy import Bits, Policy
from quant.pool import run_all, run_alone
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers
from quant.recipe.align import align
from quant.recipe.fit import Fitted, fit
from quant.recipe.levels import choose_levels, join, take_sample
from quant.recipe.moments import Parts, least_squares, moments_of, restore_strength
from quant.recipe.products import look_at_product, quantize_product
from quant.recipe.ridge import choose_ridge
from quant.recipe.rows import (
    POSITIONS,
    Places,
    as_groups,
    columns_of,
    sample_places,
    take_rows,
)
from quant.recipe.stream import CPU, Batch, Stream, Values, read

SAMPLES = 4000
BATCH = 10


@dataclass(frozen=True)
class Means:
    """What the sequence does; each can be switched off.

    `spread` and `offset`: see `quant.recipe.levels`, `aligned`: `quant.recipe.align`. `fitting`:
    weights are fitted by least squares and learned rounding, else rounded to nearest. `ridge`: None
    chooses it for each layer by cross-validation. `strength`: fits are not weaker than what they
    are fitted to.
    """

    spread: bool = True
    offset: bool = True
    aligned: bool = True
    fitting: bool = True
    ridge: float | None = None
    strength: bool = True
    positions: int = POSITIONS


@dataclass(frozen=True)
class Sequenced:
    """The layers of a policy, and by name the float weights that their integers stand for."""

    layers: QuantizedLayers
    targets: dict[str, Floats]


def quantize_in_sequence(
    network: Network,
    images: Tensor,
    policy: Policy,
    means: Means | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Sequenced:
    """Quantize a policy from normalised images (N, C, H, W), in simulated arithmetic.

    `advance` is called after every layer. Raises PolicyError where the policy does not fit.
    """
    policy.check_names(network.graph.layer_names)
    walk = _Walk(network, images, policy, means or Means())
    for node in network.graph.nodes[1:]:
        walk.step(node)
        if node.layer is not None:
            advance()
    return Sequenced(
        {name: found.layer for name, found in walk.fitted.items()},
        {name: walk.fitted[name].target for name in network.weights},
    )


class _Walk:
    """Goes through the nodes behind the image."""

    def __init__(self, network: Network, images: Tensor, policy: Policy, means: Means) -> None:
        self.network, self.policy, self.means = network, policy, means
        self.fitted: dict[str, Fitted] = {}
        nodes, batches = network.graph.nodes, torch.split(images, BATCH)
        self._stream = Stream(Values[Batch](nodes, batches), Values(nodes, batches))

    @torch.no_grad()
    def step(self, node: Node) -> None:
        """Compute a node, after fitting it where it is a layer."""
        made = None
        if node.layer is not None:
            self.fitted[node.name] = self._fit(node, node.layer, self.policy[node.name])
            made = self.fitted[node.name].layer
        self._stream.run(node, self.network.weights.get(node.name), made)

    def _fit(self, node: Node, layer: Layer, bits: Bits) -> Fitted:
        if layer.is_product:
            seen = look_at_product([self._stream.quantized[name] for name in node.inputs], SAMPLES)
            return Fitted(quantize_product(seen, bits), _NOTHING)
        weights = self.network.weights[node.name]
        levels = self._levels(node, layer, bits)
        if levels is None and bits.weight > 8:
            whole = QuantizedLayer(weights.weight, None, weights.bias, None)
            return Fitted(whole, weights.weight)
        places = self._places(layer, self._stream.floats[node.inputs[0]])
        rows = _Rows(self._stream, node.inputs[0], layer, levels)
        weight, bias = torch.from_numpy(weights.weight), torch.from_numpy(weights.bias)

        def take(index: int) -> tuple[Tensor, Tensor]:
            return rows.take(index, places[index], weight, bias)

        parts = run_all(take, range(len(places)))
        columns = as_groups(layer, weight) * columns_of(layer, levels)
        ridge = self._ridge(parts, columns)

        def work() -> Fitted:
            moments = moments_of(parts)
            target = least_squares(moments, columns, ridge)
            if self.means.fitting and self.means.strength:
                target = restore_strength(target, moments)
            return fit(layer, target, moments, levels, bits.weight, self.means.fitting)

        return run_alone(work)

    def _ridge(self, parts: Parts, columns: Tensor) -> float:
        if not self.means.fitting:
            return float("inf")
        return choose_ridge(parts, columns) if self.means.ridge is None else self.means.ridge

    def _levels(self, node: Node, layer: Layer, bits: Bits) -> InputLevels | None:
        is_image = node.inputs[0] == self.network.graph.nodes[0].name
        if bits.activation > 8 or (bits.activation == 8 and is_image):
            return None
        batches = self._stream.quantized[node.inputs[0]]
        sample = join(run_all(lambda x: take_sample(x, SAMPLES // len(batches)), batches))
        weight = torch.from_numpy(self.network.weights[node.name].weight)
        uneven = self.means.spread and (bits.weight < 8 or bits.activation < 8)
        levels = choose_levels(
            layer, sample, weight, bits.activation, uneven, self.means.offset and not is_image
        )
        return align(levels, sample) if self.means.aligned and bits.activation < 8 else levels

    def _places(self, layer: Layer, batches: list[Batch]) -> list[Places]:
        generator = torch.Generator().manual_seed(0)
        positions = self.means.positions
        return [sample_places(layer, len(x), positions, generator) for x in batches]


@dataclass(frozen=True)
class _Rows:
    """Takes what a layer sees and what it should give."""

    stream: Stream
    source: str
    layer: Layer
    levels: InputLevels | None

    def take(
        self, index: int, places: Places, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rows (G, M, K) in units of the spread, and wanted outputs (G, M, R), of one batch."""
        exact = take_rows(self.layer, read(self.stream.floats[self.source][index]), places)
        wanted = exact @ as_groups(self.layer, weight).mT + bias.reshape(self.layer.groups, 1, -1)
        seen = self._seen(self.stream.quantized[self.source][index])
        return take_rows(self.layer, seen, places), wanted

    def _seen(self, x: Tensor) -> Tensor:
        if self.levels is None:
            return x
        empty = QuantizedLayer(_NOTHING, None, _NOTHING, self.levels)
        return to_integers(x, to_tensors(empty, CPU)) / self.levels.scale


_NOTHING = torch.zeros(1).numpy()
