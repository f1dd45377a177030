"""Run the benches of the agent and write `bench/agent/results.json`."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.agent.aa import measure_aa
from bench.agent.overhead import measure_overhead
from bench.agent.throughput import measure_throughput
from bench.agent.traffic import measure_traffic
from haq.board import Board
from haq.local_board import local_agent, running_agent

RESULTS = Path(__file__).with_name("results.json")


def on_board(measure: Callable[..., dict[str, Any]], **options: Any) -> dict[str, Any]:
    """A bench on an agent of its own."""
    with local_agent() as board:
        return measure(board, **options)


def on_wire(measure: Callable[[str, str], dict[str, Any]]) -> dict[str, Any]:
    """A bench that makes its own client of an agent of its own."""
    with running_agent() as (url, key):
        return measure(url, key)


def machine() -> dict[str, Any]:
    """What was measured on."""
    with local_agent() as board:
        device = describe(board)
    return {**device, "python": platform.python_version()}


def describe(board: Board) -> dict[str, Any]:
    """The board's own words."""
    device = board.describe()
    return {"cpu": device.cpu, "cores": device.cores, "ncnn": device.ncnn_version}


def main() -> None:
    """Run the benches that are named, or all; results of the others are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.agent", description=__doc__)
    parser.add_argument("bench", nargs="*", help="aa, overhead, traffic, throughput")
    parser.add_argument("--runs", type=int, default=200, help="of the A/A bench")
    options = parser.parse_args()
    benches: Mapping[str, Callable[[], dict[str, Any]]] = {
        "traffic": lambda: on_wire(measure_traffic),
        "overhead": lambda: on_wire(measure_overhead),
        "throughput": lambda: on_board(measure_throughput),
        "aa": lambda: on_board(measure_aa, runs=options.runs),
    }
    unknown = sorted(set(options.bench) - set(benches))
    if unknown:
        parser.error(f"there is no bench {unknown[0]}: choose from {', '.join(benches)}")
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in options.bench or benches:
        found = {**benches[name](), "machine": machine()}
        known[name] = found
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")
        print(name, json.dumps({k: v for k, v in found.items() if k != "ratios"}))


if __name__ == "__main__":
    main()
