"""One way of finetuning, measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.finetune.subject import Given
from haq.finetune import Recipe, finetune
from haq.prepare import arithmetic_of, quantizer_of
from haq.progress import Progress
from quant.policy import from_short_name


def measure(given: Given, policy: str, recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Scores on the held-out images before and after, and seconds of training."""
    network = given.subject.network
    chosen = from_short_name(policy, network.graph.layer_names)
    assert chosen is not None
    quantizer = quantizer_of(given.subject, arithmetic_of(chosen))
    with TemporaryDirectory() as folder:
        report = finetune(
            network,
            quantizer,
            chosen,
            given.images,
            given.held_out,
            recipe,
            Path(folder),
            torch.device("cpu"),
            progress,
        )
    return {"policy": policy, "recipe": asdict(recipe), **report.to_json()}
