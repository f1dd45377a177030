"""The same training twice: flips that swap paired classes, and naive ones that do not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from haq.data import Images
from haq.data.faces import CLASSES, PAIRS
from haq.metrics.f1 import F1, by_class
from haq.train import Recipe, predict, train
from haq.zoo import build
from haq.zoo.registry import published_config

MODEL = "mbv2_seg"
PAIRED = [CLASSES[label] for pair in PAIRS for label in pair]


@dataclass(frozen=True)
class Trained:
    """Scores on images that were not trained on; `by_class` is F1 by the names of classes."""

    top1: float
    f1: float
    by_class: dict[str, float]


def compare_flips(images: Images, held_out: Images, recipe: Recipe) -> dict[str, Any]:
    """Both trainings, and by how much the naive one is below on each class."""
    swapped = train_once(images, held_out, recipe)
    naive = train_once(replace(images, pairs=()), held_out, recipe)
    lost = {name: swapped.by_class[name] - naive.by_class[name] for name in CLASSES}
    return {"swapped": asdict(swapped), "naive": asdict(naive), "lost": lost}


def train_once(images: Images, held_out: Images, recipe: Recipe) -> Trained:
    """A network that begins with the weights of the recipe's seed."""
    torch.manual_seed(recipe.seed)
    side = images.pixels.shape[-1]
    net = build(replace(published_config(MODEL), input_size=side))
    with TemporaryDirectory() as folder:
        *_, last = train(net, images, held_out, recipe, Path(folder))
    logits = predict(net, held_out)
    found = by_class(logits, held_out.labels)
    named = dict(zip(CLASSES, np.asarray(found).tolist(), strict=True))
    return Trained(last.top1, F1()(logits, held_out.labels), named)
