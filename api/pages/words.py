"""Numbers and times as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

NONE = "–"
UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
SIGNS = {
    "queued": "○",
    "running": "▶",
    "paused": "‖",
    "cancelled": "✕",
    "done": "✓",
    "failed": "!",
}
"""Of each state, so that it is not told by colour alone."""


def scientific(value: float | None) -> str:
    """A divergence: 1.8e-06."""
    return NONE if value is None else "0" if value == 0 else f"{value:.2g}"


def share(value: float | None) -> str:
    """93.8 %."""
    return NONE if value is None else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    """A multiple of the float network's: 0.752."""
    return NONE if value is None else f"{value:.3f}"


def milliseconds(value: float | None) -> str:
    """Three digits behind the point."""
    return NONE if value is None else f"{value:.3f} ms"


def size(value: float | None) -> str:
    """Bytes: 3.55 MB."""
    if value is None:
        return NONE
    for unit, scale in UNITS:
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.0f} B"


def plain(value: float | None) -> str:
    """Four digits that count."""
    return NONE if value is None else f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """3 h 5 min, 1 min 20 s, 8 s."""
    if seconds is None:
        return NONE
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def moment(at: float | None) -> str:
    """Seconds since 1970 as a time of the day of Greenwich."""
    return NONE if at is None else when(at).strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float) -> str:
    """The same for machines."""
    return when(at).isoformat(timespec="seconds")


def when(at: float) -> datetime:
    """With its time zone."""
    return datetime.fromtimestamp(at, timezone.utc)


def short(search_id: str) -> str:
    """The first digits of an id."""
    return search_id[:8]


def sign(state: str) -> str:
    """Of a state."""
    return SIGNS[state]


FILTERS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(scientific, share, ratio, milliseconds, size, plain),
        *(duration, moment, iso, short, sign),
    )
}
