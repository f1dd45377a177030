"""Divergence or quality against cost: all trials, their front, and what they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from api.pages.charts.frame import Frame, axes, number
from api.pages.charts.marks import MARKS
from api.pages.charts.scale import Scale, linear, logarithmic, thinned
from api.pages.charts.svg import element, label, path, picture

FRAME = Frame(width=1000.0, height=400.0, top=34.0)
Height = Literal["kl", "top1", "metric"]
DIVERGENCE = "KL from the float network"
WORDS = {
    "trial": "trial",
    "front": "front",
    "found": "found",
    "uniform": "uniform bits",
    "float": "float",
}


@dataclass(frozen=True)
class Place:
    """A point; `kind` is one of `MARKS`."""

    kind: str
    name: str
    cost: float
    height: float


def front_chart(
    places: Sequence[Place], cost: str, judge: str | None = None, bound: float | None = None
) -> Markup:
    """Divergences, lower left is better; with the name of a judge what it says, upper left."""
    x = linear([*(p.cost for p in places), *bounds(bound)], *FRAME.across)
    make, name = (logarithmic, DIVERGENCE) if judge is None else (linear, judge)
    y = make([p.height for p in places], *FRAME.upwards)
    front = sorted((x(p.cost), y(p.height)) for p in places if p.kind == "front")
    parts = axes(FRAME, x, y, cost, name) + legend(places)
    parts += [budget_line(x(bound))] if bound is not None else []
    parts += [path(front, class_="front-line")] if len(front) > 1 else []
    parts += [part for place in sorted(few(places), key=order) for part in drawn(place, x, y)]
    title = f"{name} against {cost}"
    return picture("front", FRAME.width, FRAME.height, title, told(places), parts)


def few(places: Sequence[Place]) -> list[Place]:
    """All but those trials that would cover each other."""
    trials = [place for place in places if place.kind == "trial"]
    return [*thinned(trials), *(place for place in places if place.kind != "trial")]


def bounds(bound: float | None) -> list[float]:
    """As values of the axis."""
    return [] if bound is None else [bound]


def order(place: Place) -> int:
    """What is drawn later lies above."""
    return list(MARKS).index(place.kind)


def drawn(place: Place, x: Scale, y: Scale) -> list[Markup]:
    """A mark; what trials are held against bears its name."""
    at_x, at_y = x(place.cost), y(place.height)
    said = f"{place.name}: cost {number(place.cost)}, {number(place.height)}"
    mark = element("g", element("title", said), MARKS[place.kind](at_x, at_y, place.kind))
    if place.kind in ("trial", "front"):
        return [mark]
    near_end = at_x > FRAME.across[1] - 80
    anchor, step = ("end", -10) if near_end else ("start", 10)
    return [mark, label(place.name, at_x + step, at_y - 7, class_="mark", text_anchor=anchor)]


def budget_line(x: float) -> Markup:
    """The bound that all trials are to keep."""
    low, high = FRAME.upwards
    line = element("line", x1=x, x2=x, y1=low, y2=high, class_="bound")
    name = label("budget", x - 4, high + 10, class_="mark", text_anchor="end")
    return element("g", line, name)


def legend(places: Sequence[Place]) -> list[Markup]:
    """Every kind of mark that there is, with its word."""
    kinds = [kind for kind in MARKS if any(place.kind == kind for place in places)]
    return [
        element(
            "g",
            MARKS[kind](FRAME.left + 8 + 110 * index, 13, kind),
            label(WORDS[kind], FRAME.left + 20 + 110 * index, 17, class_="mark"),
        )
        for index, kind in enumerate(kinds)
    ]


def told(places: Sequence[Place]) -> str:
    """The chart in words."""
    counted = sum(place.kind in ("trial", "front") for place in places)
    named = [
        f"{place.name} at cost {number(place.cost)}, {number(place.height)}"
        for place in places
        if place.kind not in ("trial", "front")
    ]
    return "; ".join([f"{counted} trials", *named]) + "."
