"""The best divergence so far of several searches, one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from api.pages.charts.frame import Frame, axes, number
from api.pages.charts.scale import Scale, counted, logarithmic
from api.pages.charts.svg import element, label, path, picture

FRAME = Frame(width=1000.0, height=340.0, right=110.0)


@dataclass(frozen=True)
class Run:
    """A search as it is called here, and the divergence of each of its episodes."""

    name: str
    kls: Sequence[float]

    @property
    def best(self) -> list[float]:
        """The least so far."""
        return list(accumulate(self.kls, min))


def best_curves(runs: Sequence[Run]) -> Markup:
    """A line for each, which bears its name at its end."""
    x = counted(max(len(run.kls) for run in runs), *FRAME.across)
    y = logarithmic([kl for run in runs for kl in run.best], *FRAME.upwards)
    parts = axes(FRAME, x, y, "episode", "best KL so far")
    for place, run in enumerate(runs):
        parts += line(place, run, x, y)
    text = "; ".join(f"{run.name}: {ending(run)}" for run in runs) + "."
    return picture("curves", FRAME.width, FRAME.height, "Best KL so far", text, parts)


def line(place: int, run: Run, x: Scale, y: Scale) -> list[Markup]:
    """The line of one search; nothing where nothing was tried.

    Names stand at other heights, since lines may end at the same place.
    """
    if not run.kls:
        return []
    points = [(x(episode), y(kl)) for episode, kl in enumerate(run.best, 1)]
    end_x, end_y = points[-1]
    return [
        path(points, class_=f"line line{place}"),
        element("circle", cx=end_x, cy=end_y, r=3.5, class_=f"dot line{place}"),
        label(run.name, end_x + 8, end_y + (4, -10, 18, -24)[place], class_="mark"),
    ]


def ending(run: Run) -> str:
    """In words."""
    return f"{number(run.best[-1])} after {len(run.kls)} episodes" if run.kls else "no episode yet"
