from __future__ import annotations

from typing import Any

import pytest

from haq.search.front import join
from quant.errors import InputError

FOLDERS = {"size=0.2x": "size-0.2x", "size=0.5x": "size-0.5x"}


def summary(kind: str, kl: float, latency: float | None = 0.9) -> dict[str, Any]:
    """Of a search within a budget of a kind, and within one of bit operations."""
    numbers = {"top1": 0.8, "latency_ratio": latency}
    budgets = [
        {"kind": name, "ratio": 0.4, "reference": reference, "reached": reached}
        for name, reference, reached in (("bops", "float", 0.1), (kind, "W8A8", 0.3))
    ]
    return {
        "run": "far",
        "model": "mbv2",
        "best": {**numbers, "kl": kl, "size_bytes": 300},
        "uniform": {
            "8": {**numbers, "kl": 0.1, "size_bytes": 250, "latency_ratio": latency and 0.7},
            "32": {**numbers, "kl": 0.0, "size_bytes": 1000, "latency_ratio": latency and 1.0},
        },
        "episodes": 3,
        "seconds": 1.5,
        "details": {"budget": {"float_cost": 8.0}, "budgets": budgets, "images": 9, "device": {}},
    }


def test_numbers_are_those_of_the_searches() -> None:
    joined = join("run", {b: summary("size", n) for n, b in enumerate(FOLDERS)}, FOLDERS, {})
    assert (joined["run"], joined["model"], joined["episodes"]) == ("run", "mbv2", 6)
    assert joined["seconds"] == 3.0
    assert [entry["kl"] for entry in joined["front"]] == [0, 1]
    first = joined["front"][0]
    assert (first["bound"], first["cost_ratio"], first["run"]) == ("size=0.2x", 0.3, "far")
    assert (joined["details"]["kind"], joined["details"]["reference"]) == ("size", "W8A8")
    assert joined["details"]["searches"] == [
        {"bound": bound, "folder": folder, "missed": ""} for bound, folder in FOLDERS.items()
    ]


@pytest.mark.parametrize(
    ("bound", "kind", "latency", "placed"),
    [
        ("size=0.2x", "size", None, {"8": 0.25, "32": 1.0}),
        ("latency=0.2x", "latency", 0.9, {"8": 0.7, "32": 1.0}),
        ("latency=0.2x", "table", None, {}),
        ("energy=0.2x", "energy", 0.9, {}),
    ],
)
def test_uniform_bits_lie_where_their_cost_is_known(
    bound: str, kind: str, latency: float | None, placed: dict[str, float]
) -> None:
    joined = join("run", {bound: summary(kind, 0.0, latency)}, {bound: "folder"}, {})
    details = joined["details"]
    assert {name: one["cost_ratio"] for name, one in details["uniform"].items()} == placed
    assert details["simulated"] is (latency is None)


def test_what_was_missed_is_named() -> None:
    bounds, missed = list(FOLDERS), {"size=0.2x": "lost"}
    joined = join("run", {bounds[1]: summary("size", 0.0)}, FOLDERS, missed)
    assert [one["missed"] for one in joined["details"]["searches"]] == ["lost", ""]
    with pytest.raises(InputError, match=r"size=0\.2x: lost"):
        join("run", {}, FOLDERS, missed)
