"""Compare searchers and write `bench/search/results.json` and a picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.progress import track

from bench.search.equal import CONTENDERS, SETTINGS, run_all
from bench.search.plots import plot_runs
from bench.search.summary import summarise

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
EVALUATIONS = (50, 100, 200, 600)


def main() -> None:
    """Run what is not known yet, then sum up everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="HAQ's table for MobileNetV2")
    parser.add_argument("--evaluations", type=int, default=200, help="of each run")
    parser.add_argument("--longest", type=int, default=600, help="of HAQ's agent, first seed")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    seeds = range(options.seeds)
    runs = list(
        track(
            run_all(options.evaluations, options.longest, seeds, options.table),
            "searches",
            total=len(seeds) * len(SETTINGS) * len(CONTENDERS),
        )
    )
    found: dict[str, Any] = {"equal": summarise(runs, EVALUATIONS)}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    plot_runs(runs, FOLDER / "equal.svg")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
