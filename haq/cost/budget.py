"""What the user typed after --budget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from quant.errors import BudgetError

Kind = Literal["latency", "size", "bops", "energy"]
UNITS: dict[Kind, dict[str, float]] = {
    "latency": {"x": 1.0, "ms": 1.0},
    "size": {"x": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2},
    "bops": {"x": 1.0, "G": 1e9, "T": 1e12},
    "energy": {"x": 1.0, "uJ": 1e-3, "mJ": 1.0},
}
EXAMPLES = "latency=0.9x, latency=12ms, size=0.5x, size=1.5MB, bops=0.5x or energy=0.5x"


@dataclass(frozen=True)
class Budget:
    """An upper bound: `amount` times the cost of a reference, the float network, if `relative`.

    Otherwise `amount` is in milliseconds, bytes, bit operations or millijoules. The reference is
    uniform W8A8 where a table has no float network.
    """

    kind: Kind
    amount: float
    relative: bool

    def bound(self, reference_cost: float) -> float:
        """The bound in the unit of `reference_cost`, the reference's own cost."""
        return self.amount * reference_cost if self.relative else self.amount


def parse_budget(text: str) -> Budget:
    """Read `KIND=NUMBER UNIT`. Raises BudgetError."""
    match = re.fullmatch(r"([a-z]+)=(\d*\.?\d+)\s*([A-Za-z]+)", text.strip())
    for kind, units in UNITS.items():
        if match and match[1] == kind and match[3] in units and float(match[2]) > 0:
            return Budget(kind, float(match[2]) * units[match[3]], match[3] == "x")
    raise BudgetError(f"budget '{text}' is not understood: write it like {EXAMPLES}")
