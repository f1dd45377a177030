from __future__ import annotations

import pytest
import torch

from quant.float_net import FloatNet
from quant.graph import Layer, Node
from quant.recipe.rows import Places, as_groups, sample_places, take_rows
from tests.quant.networks import KINDS, case


@pytest.mark.parametrize("kind", KINDS)
def test_rows_times_weights_are_the_layers_outputs(kind: str) -> None:
    """Of every layer: strided, padded at one side, dilated, grouped, depthwise, linear."""
    network, images = case(kind).network, case(kind).images
    inputs: dict[str, torch.Tensor] = {}

    def note(node: Node, value: torch.Tensor) -> torch.Tensor:
        inputs[node.name] = value.clone()
        return value

    FloatNet(network).logits(images, note)
    for node in network.graph.nodes:
        if node.layer is not None:
            check(node.layer, inputs[node.inputs[0]], inputs[node.name], kind)


def check(layer: Layer, x: torch.Tensor, y: torch.Tensor, kind: str) -> None:
    weights = case(kind).network.weights[layer.name]
    places = sample_places(layer, len(x), 5, torch.Generator().manual_seed(3))
    rows = take_rows(layer, x, places)
    found = rows @ as_groups(layer, torch.from_numpy(weights.weight)).mT
    found = found + torch.from_numpy(weights.bias).reshape(layer.groups, 1, -1)
    if layer.activation == "relu":
        found = found.relu()
    if layer.activation == "relu6":
        found = found.clamp(0, 6)
    torch.testing.assert_close(found, take_outputs(layer, y, places), rtol=1e-4, atol=1e-4)


def test_places_differ_and_are_all_where_there_are_few() -> None:
    layer = Layer("x", "conv", 3, 4, out_size=(3, 2))
    places = sample_places(layer, 2, 100, torch.Generator())
    seen = list(zip(places.image.tolist(), places.y.tolist(), places.x.tolist(), strict=True))
    assert sorted(seen) == [(i, y, x) for i in range(2) for y in range(3) for x in range(2)]


def take_outputs(layer: Layer, y: torch.Tensor, places: Places) -> torch.Tensor:
    if layer.op == "linear":
        return y.flatten(1)[places.image][None]
    values = y[places.image, :, places.y, places.x]
    return values.reshape(len(values), layer.groups, -1).transpose(0, 1)
