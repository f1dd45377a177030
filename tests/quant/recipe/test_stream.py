from __future__ import annotations

import weakref
from collections.abc import Sequence
from threading import Barrier

import pytest
import torch
from torch import Tensor

from quant.float_net import FloatNet
from quant.graph import Node
from quant.pool import available_cores, run_all
from quant.quantized import QuantizedLayer
from quant.recipe.stream import Anew, Batch, Stream, Values, read, run_float, run_quantized, widens
from tests.quant.networks import KINDS, Case, case

Held = weakref.WeakValueDictionary[int, Tensor]


def batches(known: Case) -> Sequence[Tensor]:
    return torch.split(known.images, 5)


def floats(known: Case) -> Values[Batch]:
    return Values[Batch](known.network.graph.nodes, batches(known))


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_the_float_network(kind: str) -> None:
    """Both ways, with the float layers in the place of quantized ones."""
    known = case(kind)
    nodes = known.network.graph.nodes
    stream = Stream(floats(known), Values(nodes, batches(known)))
    for node in nodes[1:]:
        stream.run(node, known.network.weights.get(node.name), as_it_is(known, node))
        exact, other = stream.floats[node.name], stream.quantized[node.name]
        assert all(torch.equal(read(x), y) for x, y in zip(exact, other, strict=True))
    logits = [FloatNet(known.network).logits(x) for x in batches(known)]
    assert all(torch.equal(x, y) for x, y in zip(logits, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_wide_maps_are_computed_anew_and_others_once(kind: str) -> None:
    known = case(kind)
    values = floats(known)
    for node in known.network.graph.nodes[1:]:
        run_float(values, node, known.network.weights.get(node.name))
        wide = node.layer is not None and widens(node.layer)
        assert all(isinstance(x, Anew) == wide for x in values[node.name])


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_held_until_their_last_reader_has_run(kind: str) -> None:
    known = case(kind)
    nodes = known.network.graph.nodes
    values = Values(nodes, [x.clone() for x in batches(known)])
    left = {nodes[0].name: weakref.ref(values[nodes[0].name][0])}
    for index, node in enumerate(nodes[1:], 1):
        run_quantized(values, node, as_it_is(known, node))
        left[node.name] = weakref.ref(values[node.name][0])
        let_go()
        wanted = {n for later in nodes[index + 1 :] for n in later.inputs} | {node.name}
        assert {n for n, held in left.items() if held() is not None} == wanted & set(left)


def test_a_batch_is_let_go_before_the_next_is_taken() -> None:
    known = case("mobile")
    nodes = known.network.graph.nodes
    values = Values(nodes, [x.clone() for x in batches(known)])
    held = Held(enumerate(values[nodes[0].name]))
    alive = [len(held) for (_,) in values.take(nodes[1])]
    assert alive == list(range(len(alive), 0, -1))


def let_go() -> None:
    """Wait until no thread of the pool holds its last piece of work any more."""
    everybody = Barrier(available_cores())
    run_all(lambda _: everybody.wait(), range(available_cores()))


def as_it_is(known: Case, node: Node) -> QuantizedLayer | None:
    """A layer with its float weights in the place of a quantized one."""
    weights = known.network.weights.get(node.name)
    if weights is None:
        return None
    return QuantizedLayer(weights.weight, None, weights.bias, None)
