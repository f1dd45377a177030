"""A whole finetuning: from post-training layers to trained ones in a folder, and what they gain."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from haq.data import Images
from haq.finetune.checkpoint import Task
from haq.finetune.recipe import Recipe
from haq.finetune.score import Scorer
from haq.finetune.teacher import make_teacher
from haq.finetune.training import Epoch, train
from haq.progress import Progress
from haq.store.run_folder import write_json
from quant.evaluate import Score
from quant.graph import Floats, Network
from quant.learned import LearnedNet
from quant.policy import Policy
from quant.quantized import QuantizedLayers, Quantizer
from quant.saved import network_digest, save_layers, to_arrays

LOG = "log.jsonl"


@dataclass(frozen=True)
class Report:
    """Scores on held-out images, the float network's top-1 there, and seconds of training."""

    before: Score
    after: Score
    float_top1: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As printed by --json."""
        return asdict(self)


def finetune(
    network: Network,
    quantizer: Quantizer,
    policy: Policy,
    images: Images,
    held_out: Images,
    recipe: Recipe,
    folder: Path,
    device: torch.device,
    progress: Progress,
) -> Report:
    """Train the layers that a quantizer makes of a policy, and save them in the folder.

    Written are `layers.safetensors` and `layers.json` (see `quant.saved`), `policy.json`,
    `summary.json`, `log.jsonl`, and the checkpoint, from which a stopped run goes on. Raises
    InputError.
    """
    start = quantizer.layers(policy)
    net = LearnedNet(network.graph, start, policy, float_targets(network, start))
    teacher = make_teacher(network) if recipe.distill else None
    task = Task(recipe, identify(network, start, policy, images))
    for epoch in train(net, teacher, images, task, folder, device, progress):
        log_epoch(epoch, folder)
    trained = net.to_quantized()
    save_layers(folder, trained, policy, network)
    write_json(folder / "policy.json", policy.to_json())
    scorer = Scorer(network, held_out, device)
    before, after = scorer.score(start, policy), scorer.score(trained, policy)
    report = Report(before, after, scorer.float_top1, logged_seconds(folder))
    write_json(folder / "summary.json", report.to_json())
    return report


def float_targets(network: Network, layers: QuantizedLayers) -> dict[str, Floats]:
    """The float weights that integers stand for, with the spreads of their inputs."""
    targets = {}
    for layer in network.graph.layers:
        if layer.is_product:
            continue
        taken, weight = layers[layer.name].input, network.weights[layer.name].weight
        if taken is not None and taken.spread is not None:
            spread = taken.spread.reshape(layer.groups, 1, -1)
            rows = weight.reshape(layer.groups, layer.c_out // layer.groups, spread.shape[2], -1)
            weight = (rows * spread[..., None]).reshape(weight.shape)
        targets[layer.name] = weight
    return targets


def identify(
    network: Network, start: QuantizedLayers, policy: Policy, images: Images
) -> dict[str, str]:
    """Digests of all that a training begins with."""
    return {
        "network": network_digest(network),
        "policy": policy.key(),
        "layers": digest_of(start),
        "images": images.digest(),
    }


def digest_of(layers: QuantizedLayers) -> str:
    """SHA-256 of quantized layers."""
    sha = hashlib.sha256()
    for name, layer in layers.items():
        inputs = [taken for taken in (layer.input, layer.second) if taken]
        levels = [(taken.scale, taken.low, taken.high) for taken in inputs]
        sha.update(repr((name, levels)).encode())
        for part, array in to_arrays(layer).items():
            sha.update(part.encode() + array.tobytes())
    return sha.hexdigest()


def log_epoch(epoch: Epoch, folder: Path) -> None:
    """Append the epoch to the log."""
    with (folder / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(epoch._asdict()) + "\n")


def logged_seconds(folder: Path) -> float:
    """Seconds of all epochs, those of stopped runs too."""
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    return round(sum(float(json.loads(line)["seconds"]) for line in lines), 2)
