"""The ways of finetuning that are compared, all on the same images and about as many epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from haq.finetune import Recipe

DISTILLED = Recipe(epochs=1)
WAYS: Mapping[str, Recipe] = {
    "labels": replace(DISTILLED, distill=False, labels=True),
    "distilled": DISTILLED,
    "distilled and labels": replace(DISTILLED, labels=True),
    "distilled in stages": replace(DISTILLED, stages="blocks"),
}
"""An epoch each; in stages one for the last third of the layers, the last two, and all."""
