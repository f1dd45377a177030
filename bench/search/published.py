"""What a sweep over HAQ's published budgets came to: `python -m bench.search.published RUN`.

The run is one of `haq search` with HAQ's public table, on the pretrained MobileNetV2 without any
finetuning: `haq search --weights mbv2_imagenet_tfsame.safetensors --input 224 --padding same
--calibration IMAGES:0-99 --data IMAGES:100-999 --bits 2-8 --table haq_bismo_mbv2_53x8x8.npy
--budget latency=0.392x,0.524x,0.669x --episodes N --out RUN`. The budgets are those of the paper's
table 3 in the cloud, where uniform 4, 5 and 6 bits stand.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haq.store.run_folder import read_json

RESULTS = Path(__file__).with_name("published.json")
UNIFORM = {"latency=0.392x": "w4a4", "latency=0.524x": "w5a5", "latency=0.669x": "w6a6"}
"""Uniform bits of about the same cost, the first and the last layer at 8."""


def summarise(run: Mapping[str, Any], float_top1: float) -> dict[str, Any]:
    """A row for each bound: loss of top-1 in points and KL, of what was found and of uniform."""
    details = run["details"]
    uniform, rows = details["uniform"], {}
    for entry in run["front"]:
        beside = uniform[UNIFORM[entry["bound"]]]
        rows[entry["bound"]] = {
            "found": row(entry, float_top1),
            "uniform": {"bits": UNIFORM[entry["bound"]], **row(beside, float_top1)},
            "kl_saved": 1 - entry["kl"] / beside["kl"],
        }
    return {"images": details["images"], "float_top1": float_top1, "rows": rows}


def row(one: Mapping[str, Any], float_top1: float) -> dict[str, float]:
    """Cost as a share of W8A8, and what is lost."""
    loss = 100 * (float_top1 - one["top1"])
    return {"cost_ratio": one["cost_ratio"], "top1_loss_points": loss, "kl": one["kl"]}


def main() -> None:
    """Read the run, write and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.search.published", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the sweep")
    path = parser.parse_args().run
    run, settings = read_json(path / "summary.json"), read_json(path / "run.json")
    bound = path / run["details"]["searches"][0]["folder"]
    float_top1 = read_json(bound / "summary.json")["uniform"]["32"]["top1"]
    found = {
        **summarise(run, float_top1),
        "episodes_a_bound": settings["episodes"],
        "seconds": run["seconds"],
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
