"""How far two halves of a measurement were apart on a board, over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from statistics import median

from markupsafe import Markup

from api.pages.charts.frame import Frame, axes, number
from api.pages.charts.scale import linear
from api.pages.charts.svg import element, path, picture

FRAME = Frame()
HOUR_S = 3600.0


def noise_curve(name: str, points: Sequence[tuple[float, float]]) -> Markup:
    """A dot for every batch, in the order of time: seconds since 1970 and the noise, a share.

    `name` is the board's.
    """
    start = points[0][0] if points else 0.0
    places = [((at - start) / HOUR_S, 100 * noise) for at, noise in points]
    x = linear([hours for hours, _ in places], *FRAME.across)
    y = linear([0.0, *(share for _, share in places)], *FRAME.upwards)
    seen = [(x(hours), y(share)) for hours, share in places]
    parts = axes(FRAME, x, y, "hours since the first batch", "noise, %")
    parts += [path(seen, class_="front-line")] if seen else []
    parts += [element("circle", cx=across, cy=up, r=2.6, class_="front") for across, up in seen]
    title = f"Noise of {name} over time"
    return picture(f"noise-{name}", FRAME.width, FRAME.height, title, told(points), parts)


def told(points: Sequence[tuple[float, float]]) -> str:
    """In words."""
    if not points:
        return "Nothing was measured yet."
    first, last = (moment(points[place][0]) for place in (0, -1))
    middle = 100 * median(noise for _, noise in points)
    spell = f"from {first} to {last} UTC"
    return f"{len(points)} batches {spell}, half of them within {number(middle)} %."


def moment(seconds: float) -> str:
    """Day and minute, UTC."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M}"
