"""Search with every tool, score all policies, and write `results.json` and two pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.progress import track

from bench.peers.plots import plot_setting
from bench.peers.points import make_points
from bench.peers.searches import search_all
from bench.peers.summary import summarise
from bench.peers.table import write_table
from bench.peers.tools import SETTINGS, TOOLS

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
COMMAND = "python -m bench.peers --venvs FOLDER"


def main() -> None:
    """Run the searches that are not known yet, then score everything anew."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument(
        "--venvs", type=Path, required=True, help="folder for an environment of each tool, 5 GB"
    )
    options = parser.parse_args()
    count = len(SETTINGS) * len(TOOLS)
    searched = list(track(search_all(options.venvs), "searches", total=count))
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        points = make_points(searched, setting)
        found[setting] = summarise(setting, points, searched)
        plot_setting(setting, points, FOLDER / f"{setting}.svg")
    RESULTS.write_text(json.dumps({"command": COMMAND, **found}, indent=1) + "\n")
    print(write_table(found))


if __name__ == "__main__":
    main()
