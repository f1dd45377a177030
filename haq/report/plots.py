"""Plots of a run as SVG text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quant.policy import FLOAT_BITS

styled = matplotlib.rc_context(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "haq",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#8a94a6",
        "axes.labelcolor": "#334155",
        "xtick.color": "#556070",
        "ytick.color": "#556070",
    }
)
"""Decorates a plot: its look stays its own, whatever else draws in this process."""
INK, ACCENT, MUTED, GOOD = "#334155", "#2563eb", "#a3b1c6", "#dc2626"
COLOURS = {8: "#2563eb", 16: "#14b8a6", 32: "#cbd5e1"}
LEAST_KL = 1e-7
Trials = Sequence[Mapping[str, Any]]


@styled
def pareto_plot(
    trials: Trials,
    summary: Mapping[str, Any],
    bound: float,
    float_cost: float,
    label: str | None = None,
) -> str:
    """Divergence against latency (or cost, where nothing was measured); lower left is better.

    `label` names the horizontal axis where that is no ratio to the float network.
    """
    figure, axes = new_figure(7.2, 4.2)
    measured = summary["best"]["latency_ratio"] is not None and has_latency(trials)
    x = [t["latency_ratio"] if measured else t["cost"] / float_cost for t in trials]
    y = [max(t["kl"], LEAST_KL) for t in trials]
    axes.scatter(x, y, s=16, color=MUTED, alpha=0.7, linewidths=0, label="trials")
    front = pareto_front(x, y)
    axes.step(*zip(*front, strict=True), where="post", color=ACCENT, lw=1.2, label="front")
    if measured:
        mark_uniforms(axes, summary["uniform"])
        best = summary["best"]
        mark(axes, best["latency_ratio"], best["kl"], "found", GOOD, "*")
    axes.axvline(bound / float_cost, color=INK, lw=0.8, ls=":", label="budget")
    axes.set_yscale("log")
    axes.set_xlabel(label or cost_label(measured, summary["exports"]["ncnn_param"] is not None))
    axes.set_ylabel("KL from the float network")
    axes.legend(frameon=False, fontsize=9)
    return to_svg(figure)


def cost_label(measured: bool, deployable: bool) -> str:
    """Name of the horizontal axis; a cost of bits that ncnn cannot run is simulated."""
    if measured:
        return "latency, ratio to float"
    return "cost, ratio to float" if deployable else "cost, ratio to float (simulated)"


def has_latency(trials: Trials) -> bool:
    """Whether the trials themselves were measured."""
    return bool(trials) and all(trial["latency_ratio"] is not None for trial in trials)


def mark_uniforms(axes: Axes, uniforms: Mapping[str, Mapping[str, float]]) -> None:
    """Uniform policies as labelled squares; float has no divergence and lies on the lower edge."""
    for name, entry in uniforms.items():
        mark(axes, entry["latency_ratio"], entry["kl"], f"uniform {name}", INK, "s")


def mark(axes: Axes, x: float, kl: float, label: str, colour: str, marker: str) -> None:
    """One labelled point."""
    y = max(kl, LEAST_KL)
    size = 130 if marker == "*" else 30
    axes.scatter([x], [y], s=size, color=colour, marker=marker, zorder=3)
    axes.annotate(label, (x, y), (6, 6), textcoords="offset points", color=colour, fontsize=9)


def pareto_front(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """Points that no other beats in both, from left to right."""
    front: list[tuple[float, float]] = []
    for point in sorted(zip(x, y, strict=True)):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front


@styled
def reward_plot(trials: Trials) -> str:
    """Reward of every episode, the best so far, and a running mean."""
    figure, axes = new_figure(7.2, 3.2)
    episodes = [t["episode"] for t in trials]
    rewards = np.array([t["reward"] for t in trials])
    axes.scatter(episodes, rewards, s=12, color=MUTED, linewidths=0, label="episode")
    axes.plot(episodes, running_mean(rewards), color=ACCENT, lw=1.4, label="mean of the last 10")
    axes.plot(episodes, np.maximum.accumulate(rewards), color=GOOD, lw=1, label="best so far")
    axes.set_xlabel("episode")
    axes.set_ylabel("reward")
    low, high = np.quantile(rewards, 0.02), rewards.max()
    axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
    axes.legend(frameon=False, fontsize=9)
    return to_svg(figure)


def running_mean(values: np.ndarray[Any, np.dtype[np.float64]], span: int = 10) -> list[float]:
    """Mean of the last `span` values at every place."""
    return [float(values[max(0, i - span + 1) : i + 1].mean()) for i in range(len(values))]


@styled
def bits_plot(policy: Mapping[str, Mapping[str, int]]) -> str:
    """Bits of every layer as bars: weights up, activations down where they differ.

    Where all activations are float the weights have the picture for themselves.
    """
    names = list(policy)
    weights = [policy[name]["weight"] for name in names]
    activations = [policy[name]["activation"] for name in names]
    weights_alone = set(activations) == {FLOAT_BITS}
    below = [] if weights_alone or weights == activations else [-bits for bits in activations]
    figure, axes = new_figure(10.5, 3.6)
    at = np.arange(len(names))
    axes.bar(at, weights, 0.8, color=[COLOURS.get(b, ACCENT) for b in weights])
    if below:
        axes.bar(at, below, 0.8, color="#14b8a6")
        axes.axhline(0, color=INK, lw=0.8)
    axes.set_ylabel(bits_label(bool(below), weights != activations))
    ticks = sorted({*weights, *below})
    axes.set_yticks(ticks, [str(abs(t)) for t in ticks])
    axes.set_xticks(at, names, rotation=90, fontsize=6)
    axes.set_xlim(-0.6, len(names) - 0.4)
    return to_svg(figure)


def bits_label(both: bool, differ: bool) -> str:
    """Name of the vertical axis: what the bars show."""
    if both:
        return "activations   |   weights"
    return "bits of weights" if differ else "bits"


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of its own, in inches, without any global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def to_svg(figure: Figure) -> str:
    """The figure as an <svg> element that scales with the page."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    text = stream.getvalue()
    return text[text.index("<svg") :]
