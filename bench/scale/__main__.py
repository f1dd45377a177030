"""Measure the parts of a search on this machine and write `bench/scale/results.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bench.evaluation.__main__ import machine
from bench.scale.backends import measure_backends
from bench.scale.driver import CASES, measure_driver
from bench.scale.limits import Parts
from haq.parallel.pieces import PIECE
from haq.search.racing import SHARES

RESULTS = Path(__file__).with_name("results.json")
WORKERS = (1, 2, 10, 100, 1000)
LARGE = Path("bench/evaluation/results.json")
"""How fast a large network is evaluated was measured there, on a machine of this kind."""


def main() -> None:
    """Run all benches."""
    load = os.getloadavg()[0]
    backends, driver = measure_backends(), measure_driver()
    found = {
        "backends": backends,
        "driver": driver,
        "derived": {
            "at 32 pixels": derived(backends, driver, small_image_s(backends)),
            "at 224 pixels": derived(backends, driver, large_image_s()),
        },
        "machine": machine() | {"load_average": [load, os.getloadavg()[0]]},
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


def small_image_s(backends: dict[str, Any]) -> float:
    """Seconds an image of one worker."""
    return float(backends["policies"]["pool, 1"]["median"] / backends["images_a_policy"])


def large_image_s() -> float:
    """Seconds an image at 224 pixels, of one core."""
    speed = json.loads(LARGE.read_text())["speed"]
    milliseconds = speed["ms_an_image"]["simulated 2-8, scored"]
    return float(milliseconds * speed["machine"]["cores"] / 1e3)


def derived(backends: dict[str, Any], driver: dict[str, Any], image_s: float) -> dict[str, Any]:
    """What follows for many workers, by agent and episodes at once."""
    images = backends["images_a_policy"]
    return {
        name: Parts(
            image_s=image_s,
            episode_images=one["images"],
            driver_s=one["searcher_s"] + one["race_and_store_s"],
            task_s=backends["seconds_a_task"]["ray, 2"],
            piece=PIECE,
            first_images=round(SHARES[0] * images),
        ).to_json((batch,), WORKERS)
        for (_, batch, _), (name, one) in zip(CASES, driver.items(), strict=True)
    }


if __name__ == "__main__":
    main()
