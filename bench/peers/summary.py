"""What the points say of each setting, and whether what was hoped for came true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.peers.dominance import dominations
from bench.peers.points import Point
from bench.peers.searches import Searched
from bench.peers.tools import OURS, TOOLS, SettingName

SLOWEST = "AIMET"
"""The tool that ours is to be faster than."""


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
    asked = {"unit": ask.unit, "targets": ask.targets, "formats": ask.formats}
    known = {"requirements": tool.requirements, **asked, "load": one.load}
    if one.error:
        return {**known, "error": one.error}
    times = ("seconds", "cpu_seconds", "process_seconds")
    first = one.answer["policies"][0]["seconds"]
    return {**known, **{name: one.answer[name] for name in times}, "first_seconds": first}


def faster(searched: Sequence[Searched]) -> dict[str, bool] | None:
    """Whether all of ours took less time than AIMET's, on the wall and of the processors.

    None where one of the two has failed.
    """
    answers = {one.tool: one.answer for one in searched if not one.error}
    if OURS not in answers or SLOWEST not in answers:
        return None
    times = ("seconds", "cpu_seconds")
    return {name: answers[OURS][name] < answers[SLOWEST][name] for name in times}
