"""Run the benches of the quantizer and write `bench/quantizer/results.json`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.quantizer.ablation import ablate
from bench.quantizer.engine import rate_engine
from haq.data import load_images
from haq.prepare import load_network, make_subject

RESULTS = Path(__file__).with_name("results.json")
BENCHES = ("engine", "ablation")
POLICIES = ("w8a8", "w6a6", "w5a8", "w4a8", "w4a4")


def main() -> None:
    """Print a line for each method and policy; rows of other benches and policies are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.quantizer", description=__doc__)
    parser.add_argument("bench", nargs="*", help="ablation, engine", default=BENCHES)
    parser.add_argument("--weights", type=Path, required=True, help="of a MobileNetV2, 224 pixels")
    parser.add_argument("--calibration", required=True, help="FOLDER:FIRST-LAST")
    parser.add_argument("--data", required=True, help="FOLDER:FIRST-LAST, to score on")
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--padding", choices=("torch", "same"), default="same")
    options = parser.parse_args()
    config, network = load_network("mbv2", options.weights, options.input, options.padding)
    calibration = load_images(options.calibration, options.input)
    images = load_images(options.data, options.input)
    if "engine" in options.bench:
        keep(rate_engine(config, network, calibration, images))
    if "ablation" in options.bench:
        subject = make_subject(config, network, calibration, "mse")
        keep(ablate(subject, calibration, images, options.policies))


def keep(rows: Iterable[dict[str, Any]]) -> None:
    """Print rows as they come, and put each into the results in place of what it was before."""
    for row in rows:
        print(json.dumps(row), flush=True)
        known = json.loads(RESULTS.read_text())["rows"] if RESULTS.is_file() else []
        named = {(one["method"], one["policy"]): one for one in [*known, row]}
        RESULTS.write_text(json.dumps({"rows": list(named.values())}, indent=1) + "\n")


if __name__ == "__main__":
    main()
