"""The plot of a sweep: what every bound found, among all trials and beside uniform bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from haq.report.plots import ACCENT, GOOD, INK, LEAST_KL, MUTED, new_figure, to_svg

ROOM = 4.0
"""Factor by which the plot goes on beyond the least and the largest divergence that matter."""


@dataclass(frozen=True)
class Point:
    """What was found within a bound; `link` is its report, from the folder of the sweep."""

    bound: str
    link: str
    numbers: Mapping[str, Any]

    @property
    def at(self) -> tuple[float, float]:
        """Cost as a multiple of the reference's, and divergence."""
        return self.numbers["cost_ratio"], max(self.numbers["kl"], LEAST_KL)


def front_points(summary: Mapping[str, Any]) -> list[Point]:
    """The points of a sweep's summary, the tightest bound first."""
    folders = {one["bound"]: one["folder"] for one in summary["details"]["searches"]}
    return [
        Point(entry["bound"], f"{folders[entry['bound']]}/report.html", entry)
        for entry in summary["front"]
    ]


def trial_points(
    trials: Sequence[Mapping[str, Any]], details: Mapping[str, Any]
) -> list[tuple[float, float]]:
    """Cost ratio and divergence of trials, as measured where the latency of a board is swept."""
    return [(trial_ratio(trial, details), max(trial["kl"], LEAST_KL)) for trial in trials]


def trial_ratio(trial: Mapping[str, Any], details: Mapping[str, Any]) -> float:
    """The cost of one trial as a multiple of the reference's."""
    kind = details["kind"]
    if kind == "latency" and trial["latency_ratio"] is not None:
        return float(trial["latency_ratio"])
    if "ratios" in trial:
        return float(trial["ratios"][kind])
    return float(trial["cost"] / details["reference_cost"])


def front_plot(
    points: Sequence[Point],
    trials: Sequence[tuple[float, float]],
    uniforms: Mapping[str, Mapping[str, float]],
    label: str,
) -> str:
    """Divergence against cost; every point of the front leads to its report."""
    figure, axes = new_figure(10.5, 5.0)
    axes.set_yscale("log")
    if trials:
        x, y = zip(*trials, strict=True)
        axes.scatter(x, y, s=14, color=MUTED, alpha=0.45, linewidths=0)
    draw_front(axes, points)
    draw_uniforms(axes, uniforms)
    axes.set_ylim(*limits(points, uniforms))
    axes.set_xlabel(label)
    axes.set_ylabel("KL from the float network")
    return to_svg(figure)


def draw_front(axes: Axes, points: Sequence[Point]) -> None:
    """The found policies, joined, with their bounds."""
    places = [point.at for point in sorted(points, key=lambda point: point.at)]
    axes.plot(*zip(*places, strict=True), color=ACCENT, lw=1.4, zorder=3)
    for point in points:
        x, y = point.at
        dots = axes.scatter(x, y, s=60, color=GOOD, zorder=4, edgecolors="white")
        dots.set_urls([point.link])
        write(axes, point.at, point.bound.partition("=")[2], GOOD)


def draw_uniforms(axes: Axes, uniforms: Mapping[str, Mapping[str, float]]) -> None:
    """Uniform bits as squares; float has no divergence and lies on the lower edge."""
    for name, entry in uniforms.items():
        at = entry["cost_ratio"], max(entry["kl"], LEAST_KL)
        axes.scatter(at[0], at[1], s=34, color=INK, marker="s", zorder=3)
        write(axes, at, f"uniform {name}", INK)


def write(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    """Words beside a point."""
    axes.annotate(text, at, (7, 6), textcoords="offset points", color=colour, fontsize=9)


def limits(
    points: Sequence[Point], uniforms: Mapping[str, Mapping[str, float]]
) -> tuple[float, float]:
    """Divergences that are shown: of all that is marked, with some room for trials around."""
    shown = [point.at[1] for point in points]
    shown += [max(entry["kl"], LEAST_KL) for entry in uniforms.values()]
    return min(shown) / ROOM, max(shown) * ROOM
