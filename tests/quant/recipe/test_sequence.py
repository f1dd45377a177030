from __future__ import annotations

import numpy as np
import pytest
import torch

from quant.errors import PolicyError
from quant.evaluate import compare
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.naive import NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.policy import Bits, Policy, from_short_name, uniform
from quant.quantized import Quantizer
from quant.recipe.sequence import Means, quantize_in_sequence
from quant.saved import SavedQuantizer
from tests.quant.networks import KINDS, case, random_images


def policy_of(kind: str, name: str) -> Policy:
    policy = from_short_name(name, case(kind).network.graph.layer_names)
    assert policy is not None
    return policy


def logits(kind: str, quantizer: Quantizer, policy: Policy, images: torch.Tensor) -> torch.Tensor:
    net = FakeQuantNet(case(kind).network.graph, quantizer, Capabilities())
    return net.logits(images, policy)


def sequence(kind: str, policy: Policy, means: Means | None = None) -> SavedQuantizer:
    known = case(kind)
    made = quantize_in_sequence(known.network, known.images, policy, means)
    return SavedQuantizer(policy, made.layers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["w4a8", "w4a4", "w3a6"])
def test_nearer_to_float_than_naive_rounding(kind: str, name: str) -> None:
    """On images that were not seen."""
    known, policy = case(kind), policy_of(kind, name)
    images = random_images(known.images.shape[1:], 40, seed=7)  # type: ignore[arg-type]
    wanted = FloatNet(known.network).logits(images).numpy()
    plain = NaiveQuantizer(known.network, known.ranges, "simulated")
    labels = np.zeros(len(images), np.int64)
    ours, theirs = (
        compare(logits(kind, q, policy, images).numpy(), wanted, labels).kl
        for q in (sequence(kind, policy), plain)
    )
    assert ours < theirs


@pytest.mark.parametrize("kind", KINDS)
def test_wide_layers_stay_float(kind: str) -> None:
    known, names = case(kind), case(kind).network.graph.layer_names
    policy = uniform(names, 32, 32)
    found = logits(kind, sequence(kind, policy), policy, known.images)
    assert torch.equal(found, FloatNet(known.network).logits(known.images))


@pytest.mark.parametrize("means", [Means(), Means(False, False, False, False)])
def test_any_mix_of_bits(means: Means) -> None:
    names = case("mobile").network.graph.layer_names
    mix = [Bits(w, a) for w, a in ((8, 8), (32, 4), (4, 32), (2, 2), (16, 8), (6, 16))]
    policy = Policy(dict(zip(names, mix, strict=False)))
    made = sequence("mobile", policy, means).made
    assert [made[n].weight_scale is None for n in names] == [policy[n].weight > 8 for n in names]
    assert bool(torch.isfinite(logits("mobile", sequence("mobile", policy, means), policy,
                                      case("mobile").images)).all())  # fmt: skip


def test_the_number_of_threads_changes_nothing() -> None:
    policy, threads = policy_of("mobile", "w4a4"), torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(sequence("mobile", policy).made)
    finally:
        torch.set_num_threads(threads)
    for name, layer in found[0].items():
        assert np.array_equal(layer.weight, found[1][name].weight)
        assert np.array_equal(layer.bias, found[1][name].bias)


def test_targets_are_what_the_integers_stand_for() -> None:
    known, policy = case("mobile"), policy_of("mobile", "w6a8")
    found = quantize_in_sequence(known.network, known.images, policy)
    for layer in known.network.graph.layers:
        made, target = found.layers[layer.name], found.targets[layer.name]
        assert made.weight_scale is not None
        used = made.weight / made.weight_scale.reshape(-1, *[1] * (made.weight.ndim - 1))
        assert np.abs(used - target).mean() < 0.05 * np.abs(target).max()


def test_a_policy_for_other_layers() -> None:
    with pytest.raises(PolicyError, match="does not fit the network"):
        sequence("mobile", uniform(("a", "b"), 4, 4))
