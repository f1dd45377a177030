"""Best KL against evaluations, one panel a setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.search.equal import CONTENDERS, Run

COLOURS = dict(zip((c.name for c in CONTENDERS), plt.get_cmap("tab10").colors, strict=False))  # type: ignore[attr-defined]


def plot_runs(runs: Sequence[Run], path: Path) -> None:
    """Medians over seeds, and their range as a band."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    figure, axes = plt.subplots(1, len(settings), figsize=(5 * len(settings), 4), squeeze=False)
    for axis, name in zip(axes[0], settings, strict=True):
        plot_setting([run for run in runs if run.setting == name], axis)
        axis.set_title(name)
    axes[0][0].set_ylabel("least KL so far (nats)")
    axes[0][-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plot_setting(runs: Sequence[Run], axis: Axes) -> None:
    """One setting."""
    for contender in dict.fromkeys(run.contender for run in runs):
        found = [run for run in runs if run.contender == contender]
        length = min(len(run.kls) for run in found)
        curves = np.array([np.minimum.accumulate(run.kls)[:length] for run in found])
        at = found[0].probes + np.arange(1, length + 1)
        colour = COLOURS[contender]
        axis.plot(at, np.median(curves, 0), color=colour, label=contender)
        axis.fill_between(at, curves.min(0), curves.max(0), color=colour, alpha=0.15, lw=0)
    axis.set_yscale("log")
    axis.set_xlabel("evaluations, probes of the layers included")
    axis.grid(alpha=0.3)
