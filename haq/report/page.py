"""The page, made from the files of a run folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from haq.report.front import front_plot, front_points, trial_places
from haq.report.plots import bits_plot, pareto_plot, reward_plot
from haq.report.rows import TITLES, kinds_of, metric_of, result_rows
from haq.report.sentences import (
    bounds,
    budget_sentence,
    budgets_of,
    eights_sentence,
    float_sentence,
    network_words,
    origin_sentence,
    score_sentences,
    size_sentence,
    title,
)
from haq.store.lines import read_lines
from haq.store.run_folder import RunFolder, read_json, write_bytes
from quant.errors import InputError


def write_report(path: Path) -> Path:
    """Write `report.html` into a run folder and return its path; into a sweep's for each bound too.

    Raises InputError where the folder holds no finished run.
    """
    settings_file = path / "run.json"
    if not settings_file.is_file():
        raise InputError(f"{path} is no run folder: give the --out of a search")
    settings = read_json(settings_file)
    if not isinstance(settings, dict) or "model" not in settings:
        raise InputError(f"{settings_file} was not written by a search: give the --out of one")
    folder = RunFolder(path, settings["model"])
    if not folder.summary.is_file():
        raise InputError(f"{path} holds no finished search: run it again to go on with it")
    summary = read_json(folder.summary)
    if settings.get("sweep"):
        for entry in summary["details"]["searches"]:
            if not entry["missed"]:
                write_report(path / entry["folder"])
        return write_front(path, summary)
    page = render(settings, summary, read_lines(folder.trials))
    write_bytes(folder.report, page.encode())
    return folder.report


def render(
    settings: Mapping[str, Any], summary: Mapping[str, Any], trials: list[dict[str, Any]]
) -> str:
    """The page as text."""
    details = summary["details"]
    rows = result_rows(summary)
    kinds = kinds_of(rows)
    return template("report.html").render(
        settings=settings,
        summary=summary,
        details=details,
        rows=rows,
        titles={kind: TITLES[kind] for kind in kinds},
        network=network_words(details),
        metric=metric_of(score for row in rows for score in row.scores.values()),
        bounds=bounds(details),
        sentences=(
            score_sentences(kinds),
            budget_sentence(details),
            size_sentence(details),
            float_sentence(details),
            eights_sentence(details),
        ),
        origin=origin_sentence(details),
        bits=count_bits(summary["best"]["policy"]["layers"]),
        pareto=Markup(pareto(trials, summary)) if trials else None,
        rewards=Markup(reward_plot(trials)) if trials else None,
        layers=Markup(bits_plot(summary["best"]["policy"]["layers"])),
    )


def write_front(path: Path, summary: Mapping[str, Any]) -> Path:
    """Write `report.html` for the summary of a sweep into its folder and return its path.

    The reports of its bounds are there already.
    """
    report = RunFolder(path, summary["model"]).report
    write_bytes(report, render_front(path, summary).encode())
    return report


def render_front(path: Path, summary: Mapping[str, Any]) -> str:
    """The page of a sweep as text; its trials are read from the folders of its searches."""
    details = summary["details"]
    folders = [path / entry["folder"] for entry in details["searches"]]
    trials = [trial for folder in folders for trial in read_lines(folder / "trials.jsonl")]
    points = front_points(summary)
    label = f"{title(details['kind'])}, ratio to {details['reference']}"
    plot = front_plot(points, trial_places(trials, details), details["uniform"], label)
    return template("front.html").render(
        summary=summary,
        details=details,
        points=points,
        metric=metric_of(summary["front"]),
        label=label,
        plot=Markup(plot),
    )


def template(name: str) -> Template:
    """A page with the formats that it uses."""
    environment = Environment(
        loader=PackageLoader("haq.report", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"share": share, "sci": scientific, "kilo": kilobytes}
    return environment.get_template(name)


def pareto(trials: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """Divergence against what the budget is about; of several, the one most used up counts."""
    details = summary["details"]
    budgets = budgets_of(details)
    if len(budgets) > 1:
        shares = [{**t, "cost": used_up(t, budgets), "latency_ratio": None} for t in trials]
        return pareto_plot(shares, summary, 1.0, 1.0, "largest share of a budget used up")
    (one,), float_cost = budgets, details["budget"]["float_cost"]
    plain = one["kind"] != "table" and one["reference"] == "float"
    label = None if plain else f"{title(one['kind'])}, ratio to {one['reference']}"
    return pareto_plot(trials, summary, one["ratio"] * float_cost, float_cost, label)


def used_up(trial: Mapping[str, Any], budgets: Sequence[Mapping[str, Any]]) -> float:
    """The largest share that a trial has of any budget, its latency as measured if it was."""
    measured = trial["latency_ratio"]
    ratios = trial["ratios"] if measured is None else {**trial["ratios"], "latency": measured}
    return max(float(ratios[one["kind"]] / one["ratio"]) for one in budgets)


def count_bits(layers: Mapping[str, Mapping[str, int]]) -> list[tuple[str, int]]:
    """How many layers have which bits, most first."""
    labels = [
        str(b["weight"]) if b["weight"] == b["activation"] else f"W{b['weight']}A{b['activation']}"
        for b in layers.values()
    ]
    return sorted(
        ((label, labels.count(label)) for label in set(labels)), key=lambda p: (-p[1], p[0])
    )


def share(value: float | None) -> str:
    """A share with four digits, or a dash."""
    return "–" if value is None else f"{value:.4f}"


def scientific(value: float) -> str:
    """Three digits, as 1.23e-05."""
    return f"{value:.2e}"


def kilobytes(value: int) -> str:
    """Bytes as kB."""
    return f"{value / 1000:,.0f} kB"
