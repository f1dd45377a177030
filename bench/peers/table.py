"""The results as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = {
    "board": "| tool | target | top-1 lost | KL | latency, of float | MB | searches, s (CPU s) |",
    "size": "| tool | target | top-1 lost | KL | size, MB | searches, s (CPU s) |",
}


def write_table(results: Mapping[str, Any]) -> str:
    """A table for each setting, and what it says, line by line."""
    return "\n".join(line for name, found in results.items() for line in lines(name, found))


def lines(setting: str, found: Mapping[str, Any]) -> Iterator[str]:
    """One setting."""
    yield HEAD[setting]
    yield "|" + "---|" * (HEAD[setting].count("|") - 1)
    for point in found["points"]:
        yield row(setting, point, found["searches"].get(point["tool"], {}))
    for tool, search in found["searches"].items():
        if "error" in search:
            yield f"{tool} failed: {search['error']}"
    yield f"dominated: {found['dominated']}, surely: {found['surely_dominated']}"
    yield f"faster than AIMET: {found['faster']}"
    yield ""


def row(setting: str, point: Mapping[str, Any], search: Mapping[str, Any]) -> str:
    """One point; the time is that of all targets of its tool."""
    target = "" if point["target"] is None else f"{point['target']:.3g} {search.get('unit', '')}"
    wide = f", wide as {point['wide']}" if point["wide"] else ""
    loss, kl = f"{100 * point['top1_loss']:.2f}", f"{point['kl']:.2e}"
    megabytes = f"{point['size_bytes'] / 1e6:.2f}"
    interval = f"{point['cost']:.3f} ({point['low']:.3f}-{point['high']:.3f})"
    costs = [interval, megabytes] if setting == "board" else [megabytes]
    seconds = f"{search['seconds']:.0f} ({search['cpu_seconds']:.0f})" if search else ""
    return f"| {' | '.join([point['tool'], target + wide, loss, kl, *costs, seconds])} |"
