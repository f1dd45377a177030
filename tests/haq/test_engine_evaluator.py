from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haq.data import normalise
from haq.data.fashion_mnist import load_sample
from haq.engine_evaluator import (
    KEPT_NETWORKS,
    EngineEvaluator,
    Loadable,
    deployed,
    float_network,
    simulated,
)
from haq.export import export, open_folder, run_exported_ncnn
from haq.prepare import quantizer_of
from haq.torch_evaluator import torch_evaluator
from quant.errors import PolicyError
from quant.ncnn.runtime import Engine, capabilities
from quant.policy import Bits, Policy, uniform
from tests.haq.subjects import cropped, default_subject, small_subject

HERE = capabilities()
SUBJECT, IMAGES = small_subject(), cropped("test", 24)
GRAPH = SUBJECT.network.graph
NAMES = GRAPH.layer_names
FLOAT = uniform(NAMES, 32, 32)


def random_policy(choices: tuple[int, ...], seed: int, tied: bool = False) -> Policy:
    drawn = np.random.default_rng(seed).choice(choices, (len(NAMES), 2)).tolist()
    return Policy({n: Bits(w, w if tied else a) for n, (w, a) in zip(NAMES, drawn, strict=True)})


def deployed_evaluator() -> EngineEvaluator:
    return EngineEvaluator(
        deployed(SUBJECT, HERE), IMAGES, float_network(SUBJECT.network).logits(IMAGES)
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_exported_network_is_what_is_scored(seed: int, tmp_path: Path) -> None:
    policy = random_policy((8, 16, 32), seed, tied=True)
    folder = open_folder(tmp_path / "exported", "small")
    export(SUBJECT, policy, HERE, folder)
    exported = run_exported_ncnn(folder, SUBJECT, policy, HERE, IMAGES)
    assert np.array_equal(deployed_evaluator().logits(policy), exported)


def test_one_engine_gives_the_same_logits_to_the_bit() -> None:
    policy = uniform(NAMES, 8, 8)
    network = deployed(SUBJECT, HERE)(policy)
    engine = Engine.from_memory(network.param, network.weights, network.bits16)
    alone = np.stack([engine.run(image) for image in normalise(IMAGES.pixels)])
    assert np.array_equal(network.logits(IMAGES), alone)


def test_scores_are_from_the_float_engine() -> None:
    evaluator = deployed_evaluator()
    floats, eights = evaluator.score([FLOAT, uniform(NAMES, 8, 8)])
    assert (floats.kl, floats.agreement, floats.images) == (0, 1, 24)
    assert floats.top1 == evaluator.float_top1
    assert eights.kl > 0


def test_logits_of_some_rows() -> None:
    evaluator, policy = deployed_evaluator(), uniform(NAMES, 8, 8)
    rows = np.array([7, 0, 3])
    assert np.array_equal(evaluator.logits(policy, rows), evaluator.logits(policy)[rows])


def test_a_batch_of_networks_is_made_once() -> None:
    made: list[Policy] = []
    make = deployed(SUBJECT, HERE)

    def noted(policy: Policy) -> Loadable:
        made.append(policy)
        return make(policy)

    evaluator = EngineEvaluator(noted, IMAGES, deployed_evaluator().float_logits)
    batch = [random_policy((8, 16, 32), seed, tied=True) for seed in range(KEPT_NETWORKS + 1)]
    for rows in (np.arange(2), np.arange(2, 5)):
        for policy in batch[1:]:
            evaluator.logits(policy, rows)
    assert made == batch[1:]
    evaluator.logits(batch[0], np.arange(2))
    evaluator.logits(batch[1], np.arange(2))
    assert made == [*batch[1:], batch[0], batch[1]]


def test_simulation_and_torch_are_samples_of_the_same_noise() -> None:
    subject, images = default_subject(), load_sample("test").rows(0, 99)
    names = subject.network.graph.layer_names
    quantizer = quantizer_of(subject, "simulated")
    network = subject.network
    ours = EngineEvaluator(
        simulated(network.graph, quantizer), images, float_network(network).logits(images)
    )
    theirs = torch_evaluator(subject, quantizer, "simulated", HERE, images)
    policies = [uniform(names, weight, activation) for weight, activation in ((4, 8), (5, 5))]
    for one, other in zip(ours.score(policies), theirs.score(policies), strict=True):
        assert one.kl == pytest.approx(other.kl, rel=0.1)
        assert one.top1 == pytest.approx(other.top1, abs=0.03)


def test_simulation_of_any_bits_runs() -> None:
    make = simulated(GRAPH, quantizer_of(SUBJECT, "simulated"))
    logits = make(random_policy((2, 3, 4, 5, 6, 7, 8, 32), 0)).logits(IMAGES)
    assert logits.shape == (24, 10)
    assert np.isfinite(logits).all()


def test_policies_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PolicyError, match="W4A8"):
        deployed(SUBJECT, HERE)(uniform(NAMES, 4, 8))
    with pytest.raises(PolicyError, match="layers missing"):
        simulated(GRAPH, quantizer_of(SUBJECT, "simulated"))(uniform(("a",), 4, 8))
