"""The page, made from the files of a run folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from haq.report.plots import bits_plot, pareto_plot, reward_plot
from haq.report.rows import TITLES, kinds_of, result_rows
from haq.report.sentences import score_sentences, size_sentence
from haq.store.journal import Journal
from haq.store.run_folder import RunFolder, read_json, write_bytes
from quant.errors import InputError

TEMPLATE = "report.html"


def write_report(path: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

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
    trials = Journal(folder.trials).records
    write_bytes(folder.report, render(settings, summary, trials).encode())
    return folder.report


def render(
    settings: Mapping[str, Any], summary: Mapping[str, Any], trials: list[dict[str, Any]]
) -> str:
    """The page as text."""
    details = summary["details"]
    float_cost = details["budget"]["float_cost"]
    bound = details["budget"]["ratio"] * float_cost
    environment = Environment(
        loader=PackageLoader("haq.report", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"share": share, "sci": scientific, "kilo": kilobytes}
    rows = result_rows(summary)
    kinds = kinds_of(rows)
    return environment.get_template(TEMPLATE).render(
        settings=settings,
        summary=summary,
        details=details,
        rows=rows,
        titles={kind: TITLES[kind] for kind in kinds},
        sentences=(score_sentences(kinds), size_sentence(details)),
        bits=count_bits(summary["best"]["policy"]["layers"]),
        pareto=Markup(pareto_plot(trials, summary, bound, float_cost)),
        rewards=Markup(reward_plot(trials)),
        layers=Markup(bits_plot(summary["best"]["policy"]["layers"])),
    )


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
