from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from haq.report.front import Point, front_plot, front_points, limits, trial_places
from haq.report.page import write_report
from haq.store import RunFolder, write_json
from quant.errors import InputError
from tests.haq.report.test_page import Page, read_page, write_run
from tests.haq.report.test_plots import texts
from tests.haq.search.test_request import REQUEST

BOUNDS = ("latency=0.8x", "latency=0.9x", "latency=0.95x")
LINK = "{http://www.w3.org/1999/xlink}href"


def entry(bound: str, cost: float, kl: float, ratio: float | None = None) -> dict[str, Any]:
    numbers = {"top1": 0.9, "kl": kl, "latency_ratio": ratio, "size_bytes": 1_234_567}
    return {"bound": bound, "cost_ratio": cost, **numbers, "run": f"elsewhere/{bound}"}


def front_summary(kind: str = "latency", simulated: bool = False) -> dict[str, Any]:
    """Three bounds, of which the first was missed."""
    uniform = {name: entry("", *at, 1.0) for name, at in {"8": (0.85, 0.01), "32": (1, 0)}.items()}
    return {
        "run": "elsewhere",
        "model": "mbv2",
        "front": [entry(BOUNDS[1], 0.89, 0.002, 0.7), entry(BOUNDS[2], 0.94, 0.001, 0.71)],
        "episodes": 12,
        "seconds": 65.4,
        "details": {
            "kind": kind,
            "reference": "float",
            "reference_cost": 2.0,
            "simulated": simulated,
            "searches": [
                {"bound": b, "ratio": 0.8, "folder": b.replace("=", "-"), "missed": missed}
                for b, missed in zip(BOUNDS, ("none kept it", "", ""), strict=True)
            ],
            "uniform": uniform,
            "images": 80,
            "device": {"cpu": "a board", "ncnn_version": "1.0"},
        },
    }


def write_sweep(path: Path, kind: str = "latency", simulated: bool = False) -> RunFolder:
    """The files of a finished sweep."""
    folder = RunFolder(path, "mbv2")
    write_run(path / "latency-0.9x")
    write_run(path / "latency-0.95x")
    write_json(folder.settings, {**REQUEST.to_json(), "sweep": {"kind": "latency"}})
    write_json(folder.summary, front_summary(kind, simulated))
    return folder


def links(svg: str) -> list[str]:
    found = [node.get(LINK, "#") for node in ElementTree.fromstring(svg).iter()]
    return [link for link in found if not link.startswith("#")]


def test_points_lead_to_the_reports_beside_the_page() -> None:
    points = front_points(front_summary())
    assert [point.link for point in points] == [
        "latency-0.9x/report.html",
        "latency-0.95x/report.html",
    ]
    svg = front_plot(points, [(0.9, 0.01)], front_summary()["details"]["uniform"], "a label")
    assert links(svg) == [point.link for point in points]
    assert {"a label", "0.9x", "0.95x", "uniform 8", "uniform 32 (KL 0)"} <= set(texts(svg))


def test_what_two_bounds_found_has_one_label_and_two_links() -> None:
    points = [Point(bound, bound, entry(bound, 0.7, 0.1)) for bound in BOUNDS[:2]]
    svg = front_plot(points, [], {}, "cost")
    assert "0.8x, 0.9x" in texts(svg)
    assert links(svg) == list(BOUNDS[:2])


def test_only_divergences_above_zero_set_the_scale() -> None:
    assert limits([0.0, 0.01, 1.0]) == (0.0025, 4.0)
    low, high = limits([0.0])
    assert 0 < low < high


def test_trials_lie_where_they_were_measured_or_what_the_model_says() -> None:
    trial = {"kl": 0.1, "cost": 1.5, "latency_ratio": 0.9}
    details = {"kind": "latency", "reference_cost": 1.0}
    assert trial_places([trial], details) == [(0.9, 0.1)]
    assert trial_places([trial], {"kind": "size", "reference_cost": 3.0}) == [(0.5, 0.1)]
    several = {**trial, "ratios": {"size": 0.4, "latency": 0.8}}
    assert trial_places([several], {"kind": "size", "reference_cost": 1.0}) == [(0.4, 0.1)]
    unmeasured = {**several, "latency_ratio": None}
    assert trial_places([unmeasured], details) == [(0.8, 0.1)]


def test_a_sweep_has_a_page_and_one_for_each_bound(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "run")
    assert write_report(folder.path) == folder.report
    page = read_page(folder.report)
    text = " ".join(page.words)
    for expected in (
        *("mbv2: what every bound allows", "12 episodes within 3 bounds in 65 s", "uniform 8"),
        *("latency=0.8x: none kept it", "latency, ratio to float", "1,235 kB", "0.890"),
    ):
        assert expected in text
    assert set(page.loads) == {"latency-0.9x/report.html", "latency-0.95x/report.html"}
    assert all((folder.path / link).is_file() for link in page.loads)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)


@pytest.mark.parametrize(("kind", "simulated", "columns"), [("size", False, 1), ("size", True, 0)])
def test_a_measured_latency_stands_beside_another_cost(
    tmp_path: Path, kind: str, simulated: bool, columns: int
) -> None:
    folder = write_sweep(tmp_path / "run", kind, simulated)
    text = write_report(folder.path).read_text(encoding="utf-8")
    assert len(re.findall("<th>latency, ratio to float</th>", text)) == columns
    words = " ".join(Page(text).words)
    assert "size, ratio to float" in words
    assert ("Simulated: ncnn cannot run these bits." in words) == simulated


def test_the_same_files_give_the_same_page(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "run")
    first = write_report(folder.path).read_bytes()
    assert write_report(folder.path).read_bytes() == first


def test_an_unfinished_sweep_has_no_page(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "run")
    folder.summary.unlink()
    with pytest.raises(InputError, match="holds no finished search: run it again to go on"):
        write_report(folder.path)
