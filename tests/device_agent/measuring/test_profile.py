from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from device_agent.measuring.blocks import Load, Timed, collect
from device_agent.measuring.profile import pair_pieces, producer_of, profile, single_pieces
from device_agent.measuring.room import EMPTY_BYTES
from device_agent.measuring.rounds import REFERENCES
from device_agent.measuring.timing import Timing
from device_agent.models.networks import FloatNetwork
from quant.errors import InputError, PolicyError
from quant.ncnn.build import dump, mixed_layers
from quant.ncnn.format import INT8_TERM_KEY
from quant.ncnn.runtime import Engine, capabilities
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers

LAYERS = {layer.name: layer for layer in small_layers()}


@pytest.fixture
def float_network() -> FloatNetwork:
    return FloatNetwork(tuple(small_layers()), RANGES, SHAPE)


def test_producers_are_seen_through_a_split_but_not_through_other_layers() -> None:
    layers = small_layers()
    producer = producer_of(layers, LAYERS["depthwise"].inputs[0])
    assert producer is not None
    assert producer[0].name == "stem"
    assert producer[1] is not None
    assert producer[1].type == "Split"
    direct = producer_of(layers, LAYERS["pointwise"].inputs[0])
    assert direct is not None
    assert (direct[0].name, direct[1]) == ("depthwise", None)
    assert producer_of(layers, LAYERS["head"].inputs[0]) is None
    assert producer_of(layers, LAYERS["stem"].inputs[0]) is None


def test_a_pair_requantizes_only_where_the_whole_network_does() -> None:
    layers = small_layers()
    able = capabilities()
    terms = {}
    for consumer, producer in (("depthwise", "stem"), ("pointwise", "depthwise")):
        (piece,) = pair_pieces(layers, LAYERS[consumer], [8])
        mixed = mixed_layers(piece.layers, piece.bits, RANGES, able)
        (found,) = (layer for layer in mixed if layer.name == producer)
        terms[producer] = found.integer(INT8_TERM_KEY)
    whole = mixed_layers(layers, dict.fromkeys(NAMES, 8), RANGES, able)
    assert terms == {
        layer.name: layer.integer(INT8_TERM_KEY) for layer in whole if layer.name in terms
    }
    assert terms == {"stem": 2, "depthwise": 101}


def test_pieces_compute_what_the_whole_network_computes_there() -> None:
    layers = small_layers()
    image = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    blob = LAYERS["pointwise"].outputs[0]
    inputs = {name: LAYERS[name].inputs[0] for name in ("depthwise", "pointwise")}
    whole = Engine.from_memory(*dump(layers)).blobs(image, [blob, "stem"])
    (pair,) = pair_pieces(layers, LAYERS["pointwise"], [32])
    assert pair.source == inputs["depthwise"]
    found = Engine.from_memory(*dump(pair.layers)).run(whole["stem"])
    np.testing.assert_allclose(found, whole[blob], rtol=1e-5, atol=1e-5)
    (single,) = single_pieces(LAYERS["stem"], [32])
    found = Engine.from_memory(*dump(single.layers)).run(image)
    np.testing.assert_allclose(found, whole["stem"], rtol=1e-5, atol=1e-5)


def table(
    network: FloatNetwork, layers: list[str] | None, bits: list[int], checks: int = 0
) -> dict[str, Any]:
    return profile(network, layers, bits, 3, checks, Timing())


def test_profile_of_a_whole_network(float_network: FloatNetwork) -> None:
    answer = table(float_network, None, [8, 16, 32])
    assert list(answer["layers"]) == list(NAMES)
    assert all(set(times) == {"8", "16", "32"} for times in answer["layers"].values())
    pairs = {(pair["producer"], pair["consumer"]): pair["ms"] for pair in answer["pairs"]}
    assert set(pairs) == {("stem", "depthwise"), ("depthwise", "pointwise")}
    assert all(len(times) == 9 for times in pairs.values())
    times = [*answer["layers"].values(), *pairs.values()]
    assert all(0 < ms < 100 for one in times for ms in one.values())
    assert 0 < answer["overhead_ms"] < answer["reference_ms"]
    assert answer["check"] is None
    assert answer["conditions"]["threads"] == 1


def test_a_subset_brings_the_pairs_of_its_consumers(float_network: FloatNetwork) -> None:
    answer = table(float_network, ["pointwise"], [32])
    assert list(answer["layers"]) == ["pointwise"]
    (pair,) = answer["pairs"]
    assert (pair["producer"], pair["consumer"]) == ("depthwise", "pointwise")


def test_with_little_room_few_pieces_and_policies_are_loaded_at_once(
    float_network: FloatNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []

    def count(loads: Sequence[Load], *arguments: Any, **how: Any) -> Timed:
        loaded.append(len(loads))
        return collect(loads, *arguments, **how)

    monkeypatch.setattr("device_agent.measuring.profile.collect", count)
    monkeypatch.setattr("device_agent.measuring.measure.collect", count)
    monkeypatch.setattr("device_agent.measuring.profile.room_bytes", lambda: 8 * EMPTY_BYTES)
    monkeypatch.setattr("device_agent.measuring.profile_check.room_bytes", lambda: 8 * EMPTY_BYTES)
    answer = table(float_network, None, [8, 32], checks=5)
    assert list(answer["layers"]) == list(NAMES)
    assert len(answer["check"]["measured"]) == 5
    assert len(loaded) > 6
    assert max(loaded) <= REFERENCES + 4


def test_unknown_layers_are_refused(float_network: FloatNetwork) -> None:
    with pytest.raises(PolicyError, match="no layer ghost"):
        table(float_network, ["ghost"], [32])


def test_a_table_is_checked_on_random_policies(float_network: FloatNetwork) -> None:
    check = table(float_network, None, [8, 16, 32], checks=6)["check"]
    assert len(check["predicted"]) == len(check["measured"]) == 6
    errors = [abs(p / m - 1) for p, m in zip(check["predicted"], check["measured"], strict=True)]
    assert check["mape"] == pytest.approx(sum(errors) / 6)
    assert -1 <= check["spearman"] <= 1


@pytest.mark.parametrize(("layers", "bits"), [(["stem"], [8, 32]), (None, [8, 16])])
def test_a_table_that_cannot_predict_cannot_be_checked(
    float_network: FloatNetwork, layers: list[str] | None, bits: list[int]
) -> None:
    with pytest.raises(InputError, match="all layers that has 32 bits"):
        table(float_network, layers, bits, checks=2)
