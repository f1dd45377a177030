"""How much of a search somebody has been told: the id of an event."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cursor:
    """So many states of the history, and so many trials."""

    states: int = 0
    trials: int = 0

    def __str__(self) -> str:
        return f"{self.states}-{self.trials}"


def parse_cursor(text: str | None) -> Cursor:
    """Inverse of `str`; the beginning for anything else, so that nothing is missed."""
    found = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", text or "", re.ASCII)
    return Cursor(int(found[1]), int(found[2])) if found else Cursor()
