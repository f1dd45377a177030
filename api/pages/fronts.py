"""What the chart of divergence against cost shows of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.pages.charts.front import Height, Place, front_chart
from api.schema import Point
from api.views import front_of, is_measured, pareto, points_of
from haq.cost import parse_budget

Record = Mapping[str, Any]
UNITS = {"size": "bytes", "bops": "bit operations", "energy": "mJ"}


@dataclass(frozen=True)
class Front:
    """All places, with the name and the bound of their cost; `points` are those of the front."""

    places: Sequence[Place]
    points: Sequence[Point]
    marks: Sequence[Point]
    cost: str
    bound: float | None
    height: Height

    @property
    def chart(self) -> Markup:
        """As a drawing."""
        return front_chart(self.places, self.cost, self.height, self.bound)


def front(
    trials: Sequence[Record], summary: Record | None, budgets: Sequence[str], height: Height
) -> Front:
    """Of the trials so far, and of the result where there is one."""
    known, points = pareto(trials, summary), points_of(trials, summary)
    best = front_of([point.model_copy(update={"kl": harm(point, height)}) for point in points])
    episodes = {point.episode for point in best}
    on_front = [point for point in points if point.episode in episodes]
    places = [to_place(p, "front" if p.episode in episodes else "trial", height) for p in points]
    places += [to_place(mark, mark.name.split()[0], height) for mark in known.marks]
    name = cost_name(budgets, is_measured(trials), summary is not None)
    return Front(places, on_front, known.marks, name, known.bound, height)


def harm(point: Point, height: Height) -> float:
    """What is to be small."""
    return point.kl if height == "kl" else 1.0 - (point.top1 or 0.0)


def to_place(point: Point, kind: str, height: Height) -> Place:
    """A point of the chart."""
    return Place(kind, point.name, point.cost, point.kl if height == "kl" else point.top1 or 0.0)


def cost_kind(budgets: Sequence[str]) -> str:
    """What is counted; without a budget it is the latency."""
    kinds = [parse_budget(budget).kind for budget in budgets] or ["latency"]
    return kinds[0] if len(kinds) == 1 else "several"


def cost_name(budgets: Sequence[str], measured: bool, ended: bool) -> str:
    """Of the axis: ratios to the float network are known of measured trials, and in the end."""
    kind = "latency" if measured else cost_kind(budgets)
    if kind == "several":
        return "excess over the budgets"
    return f"{kind}, ratio to float" if measured or ended else f"{kind}, {UNITS.get(kind, '')}"
