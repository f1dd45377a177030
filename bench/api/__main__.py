"""`python -m bench.api`: how the service does under load, and how little its searches mind.

Asked: 99 of 100 reads within 100 ms, no event lost, the search slowed by less than 10 %, and memory
that does not grow with time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.api.load import Load, Pace, measure
from bench.api.server import Server, wait_until
from bench.evaluation.__main__ import machine

RESULTS = Path(__file__).with_name("results.json")
SETTINGS = {"WORKERS": "1", "PER_MINUTE": "1000000"}
SEARCH = {
    "data": "sample",
    "bits": "4,8",
    "budgets": ["size=0.2x"],
    "quantizer": "naive",
    "observer": "absmax",
    "agent": "random",
    "episodes": 100_000,
    "parallel": 1,
}
"""A search that goes on for as long as it is looked at, a trial at a time."""
BEGUN = 10
"""The first trials see all images, and the others are not held up by them."""
BEGIN_S = 1200.0


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--reads-per-s", type=float, default=50.0)
    given = parser.parse_args()
    load_average = os.getloadavg()[0]
    found = run(Load(given.streams, given.reads_per_s, given.seconds))
    found["machine"] = machine() | {"load_average": [load_average, os.getloadavg()[0]]}
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def run(load: Load) -> dict[str, Any]:
    """Serve, begin a search, and measure when it is under way."""
    with TemporaryDirectory() as folder:
        server = Server(Path(folder), SETTINGS)
        server.start()
        try:
            with server.client() as client:
                begun = client.post("/v1/searches", json=SEARCH).raise_for_status()
            search_id = str(begun.json()["id"])
            pace = Pace(server.data / "haq.sqlite", search_id)
            wait_until(lambda: pace.count() >= BEGUN, BEGIN_S)
            return asyncio.run(measure(server, search_id, load))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
