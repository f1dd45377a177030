"""Run the ablation of the quantizer and write `bench/quantizer/results.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.quantizer.ablation import ablate
from haq.data import load_images
from haq.prepare import load_network, make_subject

RESULTS = Path(__file__).with_name("results.json")
POLICIES = ("w8a8", "w6a6", "w5a8", "w4a8", "w4a4")


def main() -> None:
    """Print a line for each method and policy."""
    parser = argparse.ArgumentParser(prog="python -m bench.quantizer", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="of a MobileNetV2, 224 pixels")
    parser.add_argument("--calibration", required=True, help="FOLDER:FIRST-LAST")
    parser.add_argument("--data", required=True, help="FOLDER:FIRST-LAST, to score on")
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--padding", choices=("torch", "same"), default="same")
    options = parser.parse_args()
    config, network = load_network("mbv2", options.weights, options.input, options.padding)
    calibration = load_images(options.calibration, options.input)
    subject = make_subject(config, network, calibration, "mse")
    rows = []
    for row in ablate(
        subject, calibration, load_images(options.data, options.input), options.policies
    ):
        print(json.dumps(row), flush=True)
        rows.append(row)
        RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
