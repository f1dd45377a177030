"""What the chart of divergence, or of another quality, against cost shows of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.judge import Judge
from api.pages.charts.front import Height, Place, front_chart
from api.schema import Pareto, Point
from api.views import FOUND, front_of, is_measured, pareto, points_of
from haq.cost import parse_budget

Record = Mapping[str, Any]
EXCESS = "excess over the budgets"
"""Of several budgets; it means nothing to a search with others."""
UNITS = {"size": "bytes", "bops": "bit operations", "energy": "mJ"}


@dataclass(frozen=True)
class Front:
    """All places, with the name and the bound of their cost; `points` are those of the front.

    Their height is what the judge says, the divergence where there is none.
    """

    places: Sequence[Place]
    points: Sequence[Point]
    marks: Sequence[Point]
    cost: str
    bound: float | None
    judge: Judge | None

    @property
    def height(self) -> Height:
        """As addresses name it."""
        return self.judge.key if self.judge else "kl"

    @property
    def chart(self) -> Markup:
        """As a drawing."""
        judge = self.judge.name if self.judge else None
        return front_chart(self.places, self.cost, judge, self.bound)


@dataclass(frozen=True)
class Charted:
    """What a search has tried so far, its result where there is one, and its budgets."""

    trials: Sequence[Record]
    summary: Record | None
    budgets: Sequence[str]

    @property
    def cost(self) -> str:
        """What its costs are."""
        return cost_name(self.budgets, is_measured(self.trials), self.summary is not None)

    @property
    def points(self) -> list[Point]:
        """Where every trial lies."""
        return points_of(self.trials, self.summary)

    @property
    def known(self) -> Pareto:
        """What trials are held against."""
        return pareto(self.trials, self.summary)


def front(search: Charted, judge: Judge | None) -> Front:
    """Of the trials so far, and of the result where there is one."""
    known = search.known
    return make_front(search.points, known.marks, search.cost, known.bound, judge)


def joint_front(searches: Mapping[str, Charted]) -> Front | None:
    """One front of the divergences of several searches by name; None where costs are not the same.

    Networks that were not searched are those of the first.
    """
    first = next(iter(searches.values()))
    if first.cost == EXCESS or any(search.cost != first.cost for search in searches.values()):
        return None
    points = [named(name, one) for name, search in searches.items() for one in search.points]
    found = [
        named(name, mark)
        for name, search in searches.items()
        for mark in search.known.marks
        if mark.name == FOUND
    ]
    others = [mark for mark in first.known.marks if mark.name != FOUND]
    return make_front(points, [*found, *others], first.cost, None, None)


def named(search: str, point: Point) -> Point:
    """A point with its search in its name."""
    return point.model_copy(update={"name": f"{search}: {point.name}"})


def make_front(
    points: Sequence[Point],
    marks: Sequence[Point],
    cost: str,
    bound: float | None,
    judge: Judge | None,
) -> Front:
    """Those points that no other one beats are its front; all have names of their own."""
    best = front_of(points, lambda point: (point.cost, harm(point, judge)))
    names = {point.name for point in best}
    on_front = [point for point in points if point.name in names]
    places = [to_place(p, "front" if p.name in names else "trial", judge) for p in points]
    places += [to_place(mark, kind_of(mark), judge) for mark in marks]
    return Front(places, on_front, marks, cost, bound, judge)


def kind_of(mark: Point) -> str:
    """Of a mark, whose name may have a search before it: found, uniform or float."""
    return mark.name.rpartition(": ")[2].split()[0]


def harm(point: Point, judge: Judge | None) -> float:
    """What is to be small."""
    return point.kl if judge is None else -judge.value(point.model_dump())


def to_place(point: Point, kind: str, judge: Judge | None) -> Place:
    """A point of the chart."""
    height = point.kl if judge is None else judge.value(point.model_dump())
    return Place(kind, point.name, point.cost, height)


def cost_kind(budgets: Sequence[str]) -> str:
    """What is counted; without a budget it is the latency."""
    kinds = [parse_budget(budget).kind for budget in budgets] or ["latency"]
    return kinds[0] if len(kinds) == 1 else "several"


def cost_name(budgets: Sequence[str], measured: bool, ended: bool) -> str:
    """Of the axis: ratios to the float network are known of measured trials, and in the end."""
    kind = "latency" if measured else cost_kind(budgets)
    if kind == "several":
        return EXCESS
    return f"{kind}, ratio to float" if measured or ended else f"{kind}, {UNITS.get(kind, '')}"
