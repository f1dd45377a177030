"""Rows of a result, as the page and the terminal show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Numbers = Mapping[str, Any]

TITLES = {
    "scored": "test images",
    "executed": "executed by ncnn",
    "simulated": "fake-quantized",
    "finetuned": "centroids finetuned",
}
"""Kinds of scores in the order of their columns; a run of an older version has the first alone."""


@dataclass(frozen=True)
class Row:
    """A policy's top-1 and KL by kind of score, and what else is known of it."""

    label: str
    scores: Mapping[str, Numbers]
    agreement: float
    latency: Numbers | None
    size_bytes: int


def result_rows(summary: Numbers) -> list[Row]:
    """Uniform policies from float down, those of k-means after them, and the found one."""
    uniforms = sorted(summary["uniform"], key=int, reverse=True)
    shared = summary["details"].get("uniform_kmeans", {})
    entries = {
        **{name: (f"uniform {name}", summary["uniform"][name]) for name in uniforms},
        **{name: (f"uniform k-means {name}", entry) for name, entry in shared.items()},
        "best": ("found", summary["best"]),
    }
    return [
        make_row(name, label, entry, summary["details"]) for name, (label, entry) in entries.items()
    ]


def make_row(name: str, label: str, entry: Numbers, details: Numbers) -> Row:
    """The row of a policy."""
    scores = details.get("scores", {}).get(name, {"scored": entry})
    return Row(
        label,
        scores,
        details["agreement"][name],
        details["latency"].get(name),
        entry["size_bytes"],
    )


def metric_of(scores: Iterable[Numbers]) -> str | None:
    """The name of the metric that scores have beside top-1, None for none."""
    return next((score["metric"]["name"] for score in scores if "metric" in score), None)


def kinds_of(rows: Sequence[Row]) -> list[str]:
    """Kinds of scores that any row has, in the order of their columns."""
    return [kind for kind in TITLES if any(kind in row.scores for row in rows)]
