"""A platform: what a policy costs there, and the search that finds one for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.program import haq


class Platform(Protocol):
    """Ratios are to the platform's own reference, the float network or W8A8."""

    @property
    def name(self) -> str:
        """As it is called."""

    def options(self) -> Sequence[str]:
        """Options of `haq search` here; what a policy may cost is theirs to say."""

    def costs(self, policies: Sequence[Path]) -> list[float]:
        """What policies cost here, each as a ratio."""


@dataclass(frozen=True)
class Threads:
    """ncnn on this machine with so many threads; costs are measured."""

    count: int
    bound: float | None = None

    @property
    def name(self) -> str:
        """As it is called."""
        return f"{self.count} thread{'s' if self.count > 1 else ''}"

    def options(self) -> Sequence[str]:
        """Within a latency that is measured; without a bound the search has its own."""
        budget = () if self.bound is None else ("--budget", f"latency={self.bound}x")
        return (*budget, "--threads", str(self.count))

    def costs(self, policies: Sequence[Path]) -> list[float]:
        """All in one batch."""
        named = [word for policy in policies for word in ("--policy", str(policy))]
        rows: list[dict[str, Any]] = haq("measure", *named, "--threads", self.count, "--fresh")
        return [row["ratio"] for row in rows]


@dataclass(frozen=True)
class Computed:
    """A platform whose costs are a formula's or a table's: `kind` is that of the budget."""

    name: str
    kind: str
    bound: float
    table: Path | None = None

    def options(self) -> Sequence[str]:
        """Within a simulated cost."""
        given = () if self.table is None else ("--table", str(self.table))
        return ("--bits", "2-8", "--budget", f"{self.kind}={self.bound}x", *given)

    def costs(self, policies: Sequence[Path]) -> list[float]:
        """One after the other."""
        how = ("--kind", self.kind) if self.table is None else ("--table", self.table)
        return [haq("cost", "--policy", policy, *how)["ratio"] for policy in policies]
