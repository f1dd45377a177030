"""What the points say of each setting, and whether what was hoped for came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.peers.dominance import dominations
from bench.peers.points import Point
from bench.peers.searches import Searched
from bench.peers.tools import ONE_BOUND, OURS, PLANNED, TOOLS, SettingName

SLOWEST = "AIMET"
"""The tool that ours is to be faster than."""
TIMES = ("seconds", "cpu_seconds")


def summarise(
    setting: SettingName, points: Sequence[Point], searched: Sequence[Searched]
) -> dict[str, Any]:
    """Points, dominations, searches and the comparison of their times, as JSON."""
    here = [one for one in searched if one.setting == setting]
    found = list(dominations(points))
    return {
        "points": [point.to_json() for point in points],
        "dominations": found,
        "dominated": bool(found),
        "surely_dominated": any(one["surely"] for one in found),
        "searches": {one.tool: search_json(one) for one in here},
        "faster": faster(here),
    }


def search_json(one: Searched) -> dict[str, Any]:
    """Times of a search, or why there is none; with what was asked."""
    (tool,) = (tool for tool in TOOLS if tool.name == one.tool)
    ask = tool.asks[one.setting]
    known = {"requirements": tool.requirements, **asdict(ask), "load": one.load}
    if one.error:
        return {**known, "error": one.error}
    first = {f"first_{name}": one.answer["policies"][0][name] for name in TIMES}
    return {**known, **{name: one.answer[name] for name in (*TIMES, "process_seconds")}, **first}


def faster(searched: Sequence[Searched]) -> dict[str, bool | None]:
    """Whether ours took less time than AIMET's, on the wall and of the processors.

    All targets against all, one bound against the first target, all as planned against all; None
    where a search failed.
    """
    known = {one.tool: search_json(one) for one in searched if not one.error}
    pairs = {"all": (OURS, ""), "one": (ONE_BOUND, "first_"), "planned": (PLANNED, "")}
    return {
        f"{which}, {time}": known[ours][time] < known[SLOWEST][prefix + time]
        if ours in known and SLOWEST in known
        else None
        for which, (ours, prefix) in pairs.items()
        for time in TIMES
    }
