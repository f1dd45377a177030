from __future__ import annotations

import pytest

from api.pages.bits import (
    LayerBits,
    bit_rows,
    bits_chart,
    bits_of,
    latency_shares,
    sensitivity_shares,
)
from api.pages.bits import parameter_shares as shares
from api.service import Service
from api.views import folder_of
from api.workers.layers import LayerSize
from haq.store.run_folder import write_json
from tests.api.pages.made_up import LAYERS, policy, put_run


def test_shares_of_parameters_add_up() -> None:
    sizes = [LayerSize("a", 30, 1), LayerSize("b", 70, 1)]
    bits = {"weight": 8, "activation": 8}
    assert shares(sizes, {"a": bits, "b": bits}) == {"a": 0.3, "b": 0.7}


def test_shares_of_another_network_are_not_shown() -> None:
    assert shares([LayerSize("a", 1, 1)], {"b": {"weight": 8, "activation": 8}}) == {}


def test_shares_of_latency_are_those_at_the_bits_of_each_layer() -> None:
    profile = {"a": {"8": 1.0, "32": 9.0}, "b": {"8": 9.0, "32": 3.0}}
    layers = {"a": {"weight": 8, "activation": 8}, "b": {"weight": 32, "activation": 32}}
    assert latency_shares(profile, layers) == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize("bits", [{"weight": 4, "activation": 4}, {"weight": 8, "activation": 32}])
def test_bits_that_were_not_timed_have_no_share(bits: dict[str, int]) -> None:
    assert latency_shares({"a": {"8": 1.0}}, {"a": bits}) == {}


def test_shares_of_sensitivity_are_those_at_the_narrowest_bits() -> None:
    wide, narrow = {"weight": 8, "activation": 8}, {"weight": 2, "activation": 8}
    harm = {
        "a": [{**wide, "kl": 9.0}, {**narrow, "kl": 0.1}],
        "b": [{**narrow, "kl": 0.3}, {**wide, "kl": 0.0}],
    }
    assert sensitivity_shares(harm, {"a": wide, "b": wide}) == pytest.approx({"a": 0.25, "b": 0.75})
    assert sensitivity_shares(harm, {"a": wide}) == {}
    assert sensitivity_shares(None, {"a": wide}) == {}
    assert sensitivity_shares({"a": [{**wide, "kl": 0.0}]}, {"a": wide}) == {}


def test_layers_of_a_policy(service: Service) -> None:
    job = put_run(service)
    folder = folder_of(service, job)
    folder.path.mkdir(parents=True)
    table = {name: {"8": 1.0, "16": 2.0, "32": 1.0} for name in LAYERS}
    write_json(folder.profile, {"layers": table})
    first, second, _ = bits_of(service, job, policy(8, 16, 32))
    assert (first.text, first.latency) == ("8", 0.25)
    assert first.parameters == pytest.approx(1 / 6)
    assert first.sensitivity is None
    write_json(
        folder.harm,
        {name: [{"weight": 8, "activation": 8, "kl": n + 1.0}] for n, name in enumerate(LAYERS)},
    )
    assert bits_of(service, job, policy(8, 16, 32))[0].sensitivity == pytest.approx(1 / 6)
    assert second.latency == 0.5


def test_weights_and_activations_that_differ_have_a_row_each() -> None:
    mixed = [LayerBits("a", 4, 8, None, None)]
    assert mixed[0].text == "W4A8"
    assert [row.title for row in bit_rows(mixed)] == ["weight\nbits", "activation\nbits"]
    assert len(bit_rows([LayerBits("a", 8, 8, None, None)])) == 1


def test_shares_that_are_not_known_are_not_drawn() -> None:
    assert "share" not in bits_chart([LayerBits("a", 8, 8, None, None)], "Bits")
    assert "parameter share, %" in bits_chart([LayerBits("a", 8, 8, 1.0, None)], "Bits")
