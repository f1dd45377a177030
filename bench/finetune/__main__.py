"""Run the benches of finetuning and write `bench/finetune/results.json`."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch

from bench.finetune.measure import measure
from bench.finetune.subject import load
from bench.finetune.ways import WAYS
from haq.cli._progress import show_progress

RESULTS = Path(__file__).with_name("results.json")


def machine() -> dict[str, Any]:
    """What was measured with."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def main() -> None:
    """Run the ways that are named, or all; results of the others are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.finetune", description=__doc__)
    parser.add_argument("way", nargs="*", help=", ".join(WAYS))
    parser.add_argument("--policy", default="w4a4", help="a short name, such as w4a4")
    parser.add_argument("--images", type=int, default=10_000, help="training images")
    options = parser.parse_args()
    unknown = sorted(set(options.way) - set(WAYS))
    if unknown:
        parser.error(f"there is no way '{unknown[0]}': choose from {', '.join(WAYS)}")
    given = load(options.images)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    with show_progress() as progress:
        for way in options.way or WAYS:
            found = measure(given, options.policy, WAYS[way], progress)
            known[f"{options.policy}, {way}"] = {
                "images": options.images, **found, "machine": machine()
            }  # fmt: skip
            RESULTS.write_text(json.dumps(known, indent=1) + "\n")
            progress.note(tell(way, found))


def tell(way: str, found: dict[str, Any]) -> str:
    """One line of the scores."""
    before, after = found["before"], found["after"]
    return (
        f"{way}: top-1 {before['top1']:.4f} -> {after['top1']:.4f}, "
        f"KL {before['kl']:.4f} -> {after['kl']:.4f}, {found['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
