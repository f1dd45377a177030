"""Train with both flips and write `bench/faces/results.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from bench.faces.flip import compare_flips
from haq.data.faces import load_faces
from haq.train import Recipe

RESULTS = Path(__file__).with_name("results.json")
RECIPE = Recipe(epochs=8, batch=25, peak_rate=0.1)
IMAGES = 1000


def main() -> None:
    """A few minutes on one core."""
    torch.set_num_threads(1)
    images, held_out = load_faces("train").rows(0, IMAGES - 1), load_faces("test")
    found = compare_flips(images, held_out, RECIPE)
    setting = {"images": IMAGES, "held_out": len(held_out), "recipe": asdict(RECIPE)}
    RESULTS.write_text(json.dumps({**setting, **found}, indent=1) + "\n", encoding="utf-8")
    for name, lost in found["lost"].items():
        print(f"{name}: F1 {found['swapped']['by_class'][name]:.3f}, naive {-lost:+.3f}")


if __name__ == "__main__":
    main()
