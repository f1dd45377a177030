"""Run the benches of evaluation and write `bench/evaluation/results.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.evaluation.fidelity import measure_fidelity
from bench.evaluation.memory import measure_memory
from bench.evaluation.racing import measure_racing
from bench.evaluation.speed import measure_speed
from bench.evaluation.subject import Given

RESULTS = Path(__file__).with_name("results.json")
BENCHES: Mapping[str, Callable[[Given], dict[str, Any]]] = {
    "speed": measure_speed,
    "memory": measure_memory,
    "racing": measure_racing,
    "fidelity": measure_fidelity,
}
PACKAGES = ("ncnn", "onnxruntime", "torch", "numpy")


def machine() -> dict[str, Any]:
    """What was measured on."""
    versions = {name: version(name) for name in PACKAGES}
    cores = len(os.sched_getaffinity(0))
    return {
        "cpu": platform.machine(),
        "cores": cores,
        "python": platform.python_version(),
    } | versions


def main() -> None:
    """Run the benches that are named, or all; results of the others are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("bench", nargs="*", help=", ".join(BENCHES))
    parser.add_argument(
        "--weights", type=Path, required=True, help="MobileNetV2, TensorFlow's padding"
    )
    parser.add_argument(
        "--data", required=True, help="folder of at least 1,000 images at 224 pixels"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.bench) - set(BENCHES))
    if unknown:
        parser.error(f"there is no bench {unknown[0]}: choose from {', '.join(BENCHES)}")
    given = Given(options.weights, options.data)
    for name in options.bench or BENCHES:
        found = {**BENCHES[name](given), "machine": machine()}
        known = {**(json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}), name: found}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")
        print(name, json.dumps(known[name]))


if __name__ == "__main__":
    main()
