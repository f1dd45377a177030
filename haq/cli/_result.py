"""The result of a search, for people on standard error and as JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from haq.report.rows import TITLES, Numbers, Row, kinds_of, metric_of, result_rows
from haq.report.sentences import (
    budget_sentence,
    eights_sentence,
    float_sentence,
    score_sentences,
    size_sentence,
    title,
)


def tell_result(summary: dict[str, Any], report: Path, as_json: bool) -> None:
    """Print a summary, or that of a sweep; with `as_json` also as one JSON line."""
    show = print_front if "front" in summary else print_result
    show(summary, report)
    if as_json:
        print(json.dumps({name: part for name, part in summary.items() if name != "details"}))


def print_result(summary: dict[str, Any], report: Path) -> None:
    """The found policy beside the uniform ones; `summary` is that of the run folder."""
    console = Console(stderr=True)
    rows = result_rows(summary)
    console.print(make_table(rows))
    details = summary["details"]
    scores = score_sentences(kinds_of(rows))
    sentences = (
        *(budget_sentence(details), size_sentence(details)),
        *(float_sentence(details), eights_sentence(details)),
    )
    for text in (scores, *sentences):
        if text:
            console.print(text, highlight=False, soft_wrap=True)
    exports = summary["exports"]
    print_shared(console, exports)
    for engine in ("ncnn", "onnx"):
        agreement = exports[f"{engine}_agreement"]
        if agreement is not None:
            console.print(f"{engine}: agrees with the fake-quantized network in {agreement:.4f}")
    console.print(f"report: {report}", soft_wrap=True)


def print_front(summary: dict[str, Any], report: Path) -> None:
    """The found policy of every bound of a sweep, and what was missed."""
    console, details = Console(stderr=True), summary["details"]
    label = f"{title(details['kind'])} / {details['reference']}"
    table = Table("bound", label, *score_titles(summary["front"]), "kB", box=None)
    for entry in summary["front"]:
        cost, kilobytes = f"{entry['cost_ratio']:.3f}", f"{entry['size_bytes'] / 1000:.0f}"
        table.add_row(entry["bound"], cost, *score_cells(entry), kilobytes)
    console.print(table)
    for one in details["searches"]:
        if one["missed"]:
            console.print(f"{one['bound']}: {one['missed']}", highlight=False, soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)


def make_table(rows: Sequence[Row]) -> Table:
    """A line for each policy and kind of score; what is the same for all kinds stands once."""
    titles = score_titles([score for row in rows for score in row.scores.values()])
    table = Table("policy", "score", *titles, "ratio", "ms", "kB", box=None)
    for row in rows:
        before, after = [row.label], [*latency_cells(row), f"{row.size_bytes / 1000:.0f}"]
        for kind in kinds_of([row]):
            table.add_row(*before, TITLES[kind], *score_cells(row.scores[kind]), *after)
            before, after = [""], []
    return table


def score_titles(scores: Sequence[Numbers]) -> list[str]:
    """Names of what a score says; of a metric, if scores have one, its own, without its module."""
    metric = metric_of(scores)
    return ["top-1", "KL", *([metric.rpartition(":")[2]] if metric else [])]


def score_cells(score: Numbers) -> list[str]:
    """Top-1, KL and the metric, if it has one."""
    metric = [f"{score['metric']['value']:.4f}"] if "metric" in score else []
    return [f"{score['top1']:.4f}", f"{score['kl']:.2e}", *metric]


def latency_cells(row: Row) -> tuple[str, str]:
    """Ratio and milliseconds; what ncnn cannot run is simulated and has none."""
    if row.latency is None:
        return "simulated", "-"
    return f"{row.latency['ratio']:.3f}", f"{row.latency['latency_ms']:.3f}"


def print_shared(console: Console, exports: dict[str, Any]) -> None:
    """How large shared weights are as files, and what these are good for."""
    if "packed" not in exports:
        return
    packed, ncnn = exports["packed_bytes"] / 1000, exports["ncnn_bytes"] / 1000
    console.print(f"centroids finetuned: {packed:.0f} kB packed, {ncnn:.0f} kB for ncnn")
    console.print(exports["deployment"], soft_wrap=True)
