"""The plot of a sweep: what every bound found, among all trials and beside uniform bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from haq.report.plots import ACCENT, GOOD, INK, LEAST_KL, MUTED, new_figure, styled, to_svg

ROOM = 4.0
"""Factor by which the plot goes on beyond the least and the largest divergence that is marked."""
Numbers = Mapping[str, Any]
Place = tuple[float, float]
"""Cost as a multiple of the reference's, and divergence."""


@dataclass(frozen=True)
class Point:
    """What was found within a bound; `link` is its report, from the folder of the sweep."""

    bound: str
    link: str
    numbers: Numbers

    @property
    def at(self) -> Place:
        """Where it lies."""
        return place(self.numbers)


def front_points(summary: Numbers) -> list[Point]:
    """The points of a sweep's summary, the tightest bound first."""
    folders = {one["bound"]: one["folder"] for one in summary["details"]["searches"]}
    return [
        Point(entry["bound"], f"{folders[entry['bound']]}/report.html", entry)
        for entry in summary["front"]
    ]


def place(entry: Numbers) -> Place:
    """Where a policy lies."""
    return entry["cost_ratio"], entry["kl"]


def trial_places(trials: Sequence[Numbers], details: Numbers) -> list[Place]:
    """Where the trials lie, as measured where the latency of a board is swept."""
    return [(trial_ratio(trial, details), trial["kl"]) for trial in trials]


def trial_ratio(trial: Numbers, details: Numbers) -> float:
    """The cost of one trial as a multiple of the reference's."""
    kind = details["kind"]
    if kind == "latency" and trial["latency_ratio"] is not None:
        return float(trial["latency_ratio"])
    if "ratios" in trial:
        return float(trial["ratios"][kind])
    return float(trial["cost"] / details["reference_cost"])


@styled
def front_plot(
    points: Sequence[Point],
    trials: Sequence[Place],
    uniforms: Mapping[str, Numbers],
    label: str,
) -> str:
    """Divergence against cost; every point of the front leads to its report.

    Float has no divergence and lies on the lower edge.
    """
    marked = [point.at for point in points] + [place(entry) for entry in uniforms.values()]
    low, high = limits([kl for _, kl in marked])
    figure, axes = new_figure(10.5, 5.0)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.margins(x=0.08)
    # Nothing else is drawn where nothing was tried.
    axes.scatter(*columns(trials), s=14, color=MUTED, alpha=0.45, linewidths=0)
    draw_front(axes, points, low)
    for name, entry in uniforms.items():
        draw_uniform(axes, name, place(entry), low)
    axes.set_xlabel(label)
    axes.set_ylabel("KL from the float network")
    return to_svg(figure)


def columns(places: Sequence[Place]) -> tuple[list[float], list[float]]:
    """Costs and divergences."""
    return [x for x, _ in places], [max(y, LEAST_KL) for _, y in places]


def limits(divergences: Sequence[float]) -> tuple[float, float]:
    """Least and largest divergence of a plot that shows those above 0, with some room."""
    shown = [kl for kl in divergences if kl > LEAST_KL] or [LEAST_KL]
    return min(shown) / ROOM, max(shown) * ROOM


def draw_front(axes: Axes, points: Sequence[Point], low: float) -> None:
    """The found policies, joined, with their bounds; what several bounds found has one label."""
    x, y = columns(sorted({point.at for point in points}))
    axes.plot(x, [max(kl, low) for kl in y], color=ACCENT, lw=1.4, zorder=3)
    labels: dict[Place, list[str]] = {}
    for point in points:
        cost, kl = point.at
        dot = axes.scatter(cost, max(kl, low), s=60, color=GOOD, zorder=4, edgecolors="white")
        dot.set_urls([point.link])
        labels.setdefault((cost, max(kl, low)), []).append(point.bound.partition("=")[2])
    for at, bounds in labels.items():
        write(axes, at, ", ".join(bounds), GOOD, below=True)


def draw_uniform(axes: Axes, name: str, at: Place, low: float) -> None:
    """Uniform bits as a square."""
    cost, kl = at
    axes.scatter(cost, max(kl, low), s=34, color=INK, marker="s", zorder=3, clip_on=False)
    write(axes, (cost, max(kl, low)), f"uniform {name}" + ("" if kl else " (KL 0)"), INK)


def write(axes: Axes, at: Place, text: str, colour: str, below: bool = False) -> None:
    """Words beside a point, above or below it."""
    offset = (0, -17) if below else (0, 8)
    axes.annotate(
        text, at, offset, textcoords="offset points", color=colour, fontsize=9, ha="center"
    )
