"""A small network, a start for it, and a training that takes a second."""

from __future__ import annotations

from pathlib import Path

import torch

from haq.data import Images
from haq.finetune import Epoch, Recipe, Task, train
from haq.finetune.teacher import make_teacher
from haq.prepare import quantizer_of
from quant.graph import Network
from quant.learned import LearnedNet
from quant.policy import Policy, from_short_name
from quant.quantized import QuantizedLayers
from tests.haq.subjects import cropped, small_subject

IMAGES = cropped("calibration", 40)
RECIPE = Recipe(epochs=2, batch=16, rate=0.02, seed=3)
CPU = torch.device("cpu")


def network() -> Network:
    return small_subject().network


def policy(name: str = "w4a4") -> Policy:
    found = from_short_name(name, network().graph.layer_names)
    assert found is not None
    return found


def start(name: str = "w4a4") -> QuantizedLayers:
    return quantizer_of(small_subject(), "simulated").layers(policy(name))


def fresh_net() -> LearnedNet:
    return LearnedNet(network().graph, start(), policy())


def run(
    folder: Path, recipe: Recipe = RECIPE, epochs: int | None = None, images: Images = IMAGES
) -> tuple[LearnedNet, list[Epoch]]:
    """Train, stopping after `epochs` epochs as if interrupted."""
    net, done = fresh_net(), []
    teacher = make_teacher(network()) if recipe.distill else None
    for epoch in train(net, teacher, images, Task(recipe, {"subject": "tiny"}), folder, CPU):
        done.append(epoch)
        if len(done) == epochs:
            break
    return net, done


def equal(one: LearnedNet, other: LearnedNet) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)
