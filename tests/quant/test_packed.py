from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save

from env.actions import weight_choices
from haq.cost import codebook_cost
from quant.errors import FormatError
from quant.kmeans import KMeansQuantizer
from quant.packed import dump_packed, header_bytes, load_packed, pack, packed_bytes, unpack
from quant.policy import SHARED_BITS, Bits, Policy
from quant.shared import Clusters, SharedLayers
from tests.quant.networks import KINDS, case


def shared(kind: str, widths: tuple[int, ...] = (3, 1, 8, 32, 5)) -> tuple[Policy, SharedLayers]:
    network = case(kind).network
    names = network.graph.layer_names
    bits = {name: Bits(widths[i % len(widths)], 32) for i, name in enumerate(names)}
    return Policy(bits), KMeansQuantizer(network).shared(Policy(bits))


@given(st.data(), st.sampled_from(SHARED_BITS))
def test_indexes_round_trip(data: st.DataObject, bits: int) -> None:
    shape = data.draw(hnp.array_shapes(max_dims=4, max_side=7))
    indexes = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 2**bits - 1)))
    packed = pack(indexes, bits)
    assert len(packed) == packed_bytes(indexes.size, bits)
    np.testing.assert_array_equal(unpack(packed, bits, indexes.size).reshape(shape), indexes)


def test_bits_by_hand() -> None:
    indexes = np.array([0b101, 0b010, 0b111], np.uint8)
    assert pack(indexes, 3).tolist() == [0b11010101, 0b1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_same_weights_back(kind: str) -> None:
    _, layers = shared(kind)
    again = load_packed(dump_packed(layers))
    assert list(again) == list(layers)
    for name, layer in layers.items():
        np.testing.assert_array_equal(again[name].floats.weight, layer.floats.weight)
        np.testing.assert_array_equal(again[name].bias, layer.bias)
        if isinstance(layer.weight, Clusters):
            found = again[name].weight
            assert isinstance(found, Clusters) and found.bits == layer.weight.bits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("widths", [(1,), (2, 3), (5, 6, 7), (8,), (32,), (1, 32, 4)])
def test_the_counted_size_is_that_of_the_file(kind: str, widths: tuple[int, ...]) -> None:
    policy, layers = shared(kind, widths)
    data = dump_packed(layers)
    graph = case(kind).network.graph
    cost = codebook_cost(graph, weight_choices(graph.layer_names))
    assert cost.cost(policy) == len(data) - header_bytes(data)


def changed(name: str, value: np.ndarray | None) -> Any:
    data = dump_packed(shared("mobile")[1])
    tensors, header = load(data), json.loads(data[8 : header_bytes(data)])
    tensors.pop(name)
    if value is not None:
        tensors[name] = value
    return save(tensors, header["__metadata__"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no file of shared weights"),
        (b"\xff" * 64, "no file of shared weights"),
        (save({"a": np.zeros(1, np.float32)}), "no file of shared weights"),
        (save({}, {"shapes": "[1]"}), "no file of shared weights"),
        (save({}, {"shapes": '{"a": 1}'}), "no file of shared weights"),
        (changed("stem.0.bias", None), "stem.0.bias is missing or not float32"),
        (changed("stem.0.indexes", None), "stem.0.indexes is missing or not uint8"),
        (changed("stem.0.indexes", np.zeros(5, np.uint8)), "do not fill 5 bytes"),
        (changed("stem.0.centroids", np.zeros(3, np.float32)), "are not 2, 4, 8"),
        (changed("stem.0.centroids", np.zeros(8, np.float64)), "missing or not float32"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as raised:
        load_packed(data)
    assert "\n" not in str(raised.value)


def test_a_file_cut_short_is_refused() -> None:
    with pytest.raises(FormatError, match="no file of shared weights"):
        load_packed(dump_packed(shared("mobile")[1])[:-1])
