"""`python -m bench.platforms --table FILE`: platforms want policies of their own.

Searches on each platform, lets every policy cost what it does on the others, and writes
`bench/platforms/results.json`. Costs with a number of threads are measured on this machine; those
of the bit-serial accelerator, of size and of energy are simulated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.evaluation.__main__ import machine
from bench.platforms.crossed import cross
from bench.platforms.foretold import correlations, points_of
from bench.platforms.platform import Computed, Threads
from haq.names import NETWORKS

RESULTS = Path(__file__).with_name("results.json")
POLICIES = 50


def main() -> None:
    """Run the parts that are named, or all; results of the others are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.platforms", description=__doc__)
    parser.add_argument("part", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--table", type=Path, required=True, help="HAQ's table for MobileNetV2")
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument(
        "--bounds",
        nargs=2,
        type=float,
        default=(None, None),
        metavar=("ONE", "TWO"),
        help="shares of float's latency, for one thread and for two [default: the searches' own]",
    )
    given = parser.parse_args()
    for name in given.part or PARTS:
        found = {**PARTS[name](given), "machine": machine()}
        known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        RESULTS.write_text(json.dumps({**known, name: found}, indent=1) + "\n")
        print(name, json.dumps(found))


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """One thread and two."""
    platforms = [Threads(count, bound) for count, bound in enumerate(given.bounds, 1)]
    with TemporaryDirectory() as folder:
        return cross(platforms, given.episodes, Path(folder))


def simulated(given: argparse.Namespace) -> dict[str, Any]:
    """A bit-serial accelerator, a small memory, a battery."""
    platforms = (
        Computed("bit-serial", "latency", 0.6, given.table),
        Computed("memory", "size", 0.15),
        Computed("battery", "energy", 0.2),
    )
    with TemporaryDirectory() as folder:
        return cross(platforms, given.episodes, Path(folder))


def foretold(given: argparse.Namespace) -> dict[str, Any]:
    """Latency of random policies: a few of every network, and many of one."""
    found = {
        "every_network": list(points_of(NETWORKS, POLICIES)),
        "mbv2": list(points_of(("mbv2",), POLICIES)),
    }
    return {
        name: {**correlations(points), "rows": [asdict(point) for point in points]}
        for name, points in found.items()
    }


PARTS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "measured": measured,
    "simulated": simulated,
    "foretold": foretold,
}

if __name__ == "__main__":
    main()
