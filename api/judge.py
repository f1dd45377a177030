"""What says how good policies are, beside their divergence: top-1, or the metric of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from haq.report.rows import metric_of

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Judge:
    """Its name as people read it, and what its value is called in a record."""

    name: str = "top-1"
    key: Literal["top1", "metric"] = "top1"

    def value(self, record: Record) -> float:
        """Of a trial, or of a result."""
        found: float = record["top1"] if self.key == "top1" else record["metric"]["value"]
        return found


def judge_of(records: Iterable[Record]) -> Judge:
    """That of the search that records are of."""
    name = metric_of(records)
    return Judge() if name is None else Judge(name, "metric")
