from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from haq.finetune import Recipe, Report, finetune
from haq.finetune.run import digest_of, float_targets
from haq.finetune.score import Scorer
from haq.prepare import quantizer_of
from haq.progress import Silent
from haq.torch_evaluator import torch_evaluator
from quant.naive import NaiveQuantizer
from quant.ncnn.runtime import capabilities
from quant.policy import uniform
from quant.quantized import InputLevels
from quant.saved import load_layers
from tests.haq.finetune.tiny import CPU, IMAGES, RECIPE, network, policy, start
from tests.haq.subjects import cropped, small_subject
from tests.quant.networks import case

HELD_OUT = cropped("test", 60)


def run(folder: Path, recipe: Recipe = RECIPE) -> Report:
    quantizer = quantizer_of(small_subject(), "simulated")
    return finetune(network(), quantizer, policy(), IMAGES, HELD_OUT, recipe, folder, CPU, Silent())


def test_the_folder_holds_the_trained_layers_and_the_report(tmp_path: Path) -> None:
    report = run(tmp_path)
    saved = load_layers(tmp_path, network())
    scorer = Scorer(network(), HELD_OUT, CPU)
    assert scorer.score(saved.layers(policy()), policy()) == report.after
    assert scorer.score(start(), policy()) == report.before
    assert report.before != report.after
    assert json.loads((tmp_path / "summary.json").read_text()) == report.to_json()
    assert json.loads((tmp_path / "policy.json").read_text()) == policy().to_json()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_a_finished_run_says_the_same_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(tmp_path) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_spreads_are_part_of_the_targets() -> None:
    subject = case("odd")
    graph = subject.network.graph
    made = dict(
        NaiveQuantizer(subject.network, subject.ranges, "simulated").layers(
            uniform(graph.layer_names, 4, 4)
        )
    )
    for layer in graph.layers:
        spread = np.arange(1, layer.c_in + 1, dtype=np.float32)
        levels = made[layer.name].input
        assert levels is not None
        made[layer.name] = replace(made[layer.name], input=replace(levels, spread=spread))
    targets = float_targets(subject.network, made)
    for layer in graph.layers:
        weight = subject.network.weights[layer.name].weight
        each = layer.c_in // layer.groups
        for out in range(layer.c_out):
            first = out // (layer.c_out // layer.groups) * each
            for taken in range(each):
                expected = weight[out, taken] * (first + taken + 1)
                np.testing.assert_allclose(targets[layer.name][out, taken], expected)


def test_other_layers_have_another_digest() -> None:
    layers = dict(start())
    name = next(iter(layers))
    levels = layers[name].input or InputLevels(1.0, 0, 15)
    other = {**layers, name: replace(layers[name], input=replace(levels, scale=0.123))}
    moved = {**layers, name: replace(layers[name], bias=layers[name].bias + 1)}
    assert len({digest_of(made) for made in (layers, other, moved)}) == 3
    assert digest_of(layers) == digest_of(start())


@pytest.mark.parametrize("name", ["w4a4", "8"])
def test_scores_are_those_of_fake_quantization(name: str) -> None:
    scorer = Scorer(network(), HELD_OUT, CPU)
    quantizer = quantizer_of(small_subject(), "simulated")
    evaluator = torch_evaluator(small_subject(), quantizer, "simulated", capabilities(), HELD_OUT)
    assert scorer.float_top1 == evaluator.float_top1
    expected = evaluator.score([policy(name)])[0]
    found = scorer.score(start(name), policy(name))
    assert found.top1 == expected.top1
    assert found.kl == pytest.approx(expected.kl, rel=1e-3)
