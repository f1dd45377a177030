"""Cores of a board, as typed on a command line."""

from __future__ import annotations

import re

from quant.errors import InputError

Cores = tuple[int, ...] | str | None
"""CPUs to stay on, or "big", or "little", or any."""


def parse_cores(text: str | None) -> Cores:
    """`4,5,6` as numbers; `big`, `little` and None as they are. Raises InputError."""
    if text is None or text in {"big", "little"}:
        return text
    if not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text, re.ASCII):
        raise InputError(f"--cores {text}: expected numbers such as 4,5, or big, or little")
    return tuple(int(number) for number in text.split(","))
