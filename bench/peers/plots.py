"""KL against cost, one picture a setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.peers.points import Point
from bench.peers.tools import SettingName, is_ours

COSTS = {"board": "latency, of the float network's", "size": "size of the weights, bytes"}
SHOWN = "float"
"""Has no KL, and so no place on a logarithmic axis: its cost is drawn as a line on the board."""


def plot_setting(setting: SettingName, points: Sequence[Point], path: Path) -> None:
    """Points by tool, with the intervals of their latencies."""
    figure, axis = plt.subplots(figsize=(6, 4.5))
    for tool in dict.fromkeys(point.candidate.tool for point in points):
        own = [point for point in points if point.candidate.tool == tool]
        if tool != SHOWN:
            plot_tool(tool, sorted(own, key=lambda point: point.cost), axis)
        elif setting == "board":
            axis.axvline(own[0].cost, color="grey", lw=0.8, ls=":", label=tool)
    axis.set(xlabel=COSTS[setting], ylabel="KL from float (nats)", yscale="log")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plot_tool(tool: str, points: Sequence[Point], axis: Axes) -> None:
    """One tool; ours are joined by a line."""
    costs = [point.cost for point in points]
    below = [point.cost - point.low for point in points]
    above = [point.high - point.cost for point in points]
    style = "o-" if is_ours(tool) else "s"
    kls = [point.score.kl for point in points]
    axis.errorbar(costs, kls, xerr=(below, above), fmt=style, ms=5, capsize=2, label=tool)
