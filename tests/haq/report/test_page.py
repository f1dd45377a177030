from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from haq.report.page import count_bits, kilobytes, scientific, share, used_up, write_report
from haq.search.final import Winner
from haq.search.loop import Outcome
from haq.search.rated import Rated, ScoreKind
from haq.search.summary import details, summarise, trial_record
from haq.search.target import Target
from haq.store import RunFolder, write_json
from haq.store.lines import write_lines
from quant.errors import InputError
from quant.evaluate import Score
from quant.policy import Policy, uniform
from tests.env.toys import TableModel
from tests.haq.search.doubles import latency
from tests.haq.search.test_request import REQUEST
from tests.haq.simulated_board import SimulatedBoard

NAMES = ("stem", "middle", "last")
FOUND = uniform(NAMES, 8, 8).replace("stem", uniform(NAMES, 32, 32)["stem"])
SIMULATED = uniform(NAMES, 4, 6, ends=8)
SCORE = Score(top1=0.9321, kl=2.5e-5, agreement=0.9975, images=2000)
SIMULATED_SCORE = Score(top1=0.9318, kl=2.6e-5, agreement=0.9974, images=2000)
Scores = dict[ScoreKind, Score]


class Page(HTMLParser):
    """Words, and whatever a page would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "srcset", "action"} and value:
                self.loads += [] if value.startswith("#") else [value]

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))


def write_run(path: Path, policy: Policy = FOUND, weights: str | None = None) -> RunFolder:
    """The files of a finished search, as the search itself writes them."""
    folder = RunFolder(path, "mbv2")
    measured = latency(0.81) if policy.is_deployable else None
    both: Scores = {"executed": SCORE, "simulated": SIMULATED_SCORE}
    target = Target("latency", TableModel({}), bound=0.85, float_cost=1.0)
    outcomes = [Outcome(i, "ddpg", policy, SCORE, 0.8, -1.0 / i, measured) for i in range(1, 5)]
    found: Scores = both if policy.is_deployable else {"simulated": SIMULATED_SCORE}
    best = Rated(policy, found, measured, 1_234_567)
    uniforms = {b: Rated(uniform(NAMES, 8, 8), both, latency(1.0), 9) for b in ("8", "16", "32")}
    exports: dict[str, Any] = {
        "ncnn_param": str(folder.ncnn_param) if policy.is_deployable else None,
        "ncnn_top1": 0.93 if policy.is_deployable else None,
        "ncnn_agreement": 1.0 if policy.is_deployable else None,
        "onnx": str(folder.onnx),
        "onnx_top1": 0.931,
        "onnx_agreement": 0.999,
    }
    summary = summarise(str(path), "mbv2", best, uniforms, exports, 4, 65.4)
    device, winner = SimulatedBoard().describe(), Winner(outcomes[2], measured)
    more = details(target, True, winner, outcomes, {"best": best, **uniforms}, device, "ddpg")
    more |= {"start": "ilp", "reward": "kl"}
    more |= {"network": {"weights": weights or "packaged", "input": [1, 32, 32]}}
    with folder.open({**REQUEST.to_json(), "weights": weights, "board": {}}):
        pass
    write_json(folder.summary, {**summary, "details": more})
    write_lines(folder.trials, map(trial_record, outcomes))
    return folder


def read_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_written_beside_its_files(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    assert write_report(folder.path) == folder.report
    assert {p.name for p in folder.path.iterdir()} == {
        *("run.json", "summary.json", "trials.jsonl", "report.html")
    }


def test_the_page_says_what_the_summary_says(tmp_path: Path) -> None:
    page = read_page(write_report(write_run(tmp_path / "run").path))
    text = " ".join(page.words)
    for expected in (
        *("mbv2: bits for every layer", "4 episodes in 65 s", "found", "uniform 16"),
        *("0.9321", "2.50e-05", "0.9975", "0.810", "1,235 kB", "2000 test images"),
        *("2 layers at 8", "1 layer at 32", "simulated", "0.9990"),
        *("executed by ncnn", "fake-quantized", "0.9318", "2.60e-05", "in the mean only"),
    ):
        assert expected in text
    assert page.tags.count("svg") == 3


@pytest.mark.parametrize("policy", [FOUND, SIMULATED], ids=["found", "simulated"])
def test_the_page_loads_nothing_from_elsewhere(policy: Policy, tmp_path: Path) -> None:
    path = write_report(write_run(tmp_path / "run", policy).path)
    page, text = read_page(path), path.read_text(encoding="utf-8")
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", text))


def test_a_simulated_policy_is_called_so(tmp_path: Path) -> None:
    text = " ".join(read_page(write_report(write_run(tmp_path / "run", SIMULATED).path)).words)
    assert "Simulated: ncnn cannot run these bits." in text
    assert "ncnn: not possible at these bits" in text
    assert "1 layer at W4A6" in text
    measured = " ".join(read_page(write_report(write_run(tmp_path / "other").path)).words)
    assert "Simulated:" not in measured


def test_a_run_of_an_older_version_has_a_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    summary = json.loads(folder.summary.read_text())
    del summary["details"]["scores"]
    write_json(folder.summary, summary)
    text = " ".join(read_page(write_report(folder.path)).words)
    assert "0.9321" in text
    assert "test images" in text
    assert "0.9318" not in text
    assert "executed by ncnn" not in text


def test_uniform_bits_of_equal_size_stand_beside_shared_weights(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", SIMULATED)
    summary = json.loads(folder.summary.read_text())
    tuned = {"simulated": {"top1": 0.1234, "kl": 0.5}, "finetuned": {"top1": 0.5678, "kl": 0.25}}
    details = summary["details"]
    details["scores"]["w3a32"] = tuned
    details["agreement"]["w3a32"] = 0.9
    details["uniform_kmeans"] = {"w3a32": {"size_bytes": 1_000_000}}
    details["equal_size"] = {"simulated": {"found_kl": 0.1, "uniform_kl": 0.4}}
    write_json(folder.summary, summary)
    text = " ".join(read_page(write_report(folder.path)).words)
    for expected in ("uniform k-means w3a32", "0.1234", "0.5678", "1,000 kB", "0.25 times the KL"):
        assert expected in text


def test_what_the_user_typed_is_text(tmp_path: Path) -> None:
    evil = "</dd><script>alert(1)</script>"
    path = write_report(write_run(tmp_path / "run", weights=evil).path)
    assert "<script" not in path.read_text(encoding="utf-8")
    assert evil in " ".join(read_page(path).words)


def test_the_same_files_give_the_same_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    first = write_report(folder.path).read_bytes()
    assert write_report(folder.path).read_bytes() == first


def test_an_unfinished_run_has_no_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    folder.summary.unlink()
    with pytest.raises(InputError, match="holds no finished search: run it again to go on"):
        write_report(folder.path)
    assert not folder.report.exists()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="is no run folder: give the --out of a search"):
            write_report(path)


@pytest.mark.parametrize("name", ["run.json", "summary.json", "trials.jsonl"])
def test_damaged_files_are_named(name: str, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder.path / name).write_text("{\n")
    with pytest.raises(InputError, match=rf"{name} is (not readable JSON|damaged)"):
        write_report(folder.path)


def test_counts_of_bits_most_first() -> None:
    layers: Any = uniform(NAMES, 4, 6, ends=8).to_json()["layers"]
    assert count_bits(layers) == [("8", 2), ("W4A6", 1)]
    layers["stem"] = {"weight": 2, "activation": 6}
    assert count_bits(layers) == [("8", 1), ("W2A6", 1), ("W4A6", 1)]


def test_formats() -> None:
    assert (share(0.93215), share(None)) == ("0.9322", "–")
    assert scientific(0.0) == "0.00e+00"
    assert kilobytes(1_234_567) == "1,235 kB"


def test_settings_of_another_program_are_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"name": "theirs"}')
    with pytest.raises(InputError, match="was not written by a search"):
        write_report(tmp_path)


def test_several_budgets_are_shown_with_what_was_reached(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", SIMULATED)
    summary = json.loads(folder.summary.read_text())
    summary["details"]["budgets"] = [
        {"kind": "table", "ratio": 0.6, "reference": "W8A8", "reached": 0.59},
        {"kind": "size", "ratio": 0.5, "reference": "float", "reached": 0.25},
    ]
    write_json(folder.summary, summary)
    lines = [json.loads(line) for line in folder.trials.read_text().splitlines()]
    ratios = {"table": 0.3, "size": 0.45}
    folder.trials.write_text("".join(f"{json.dumps({**t, 'ratios': ratios})}\n" for t in lines))
    text = " ".join(read_page(write_report(folder.path)).words)
    for expected in (
        "budget latency by the table ≤ 0.600 of W8A8, size ≤ 0.500 of float",
        "latency by the table 0.590 of W8A8 (at most 0.600), size 0.250 of float",
        "largest share of a budget used up",
    ):
        assert expected in text


def test_a_table_names_the_axis(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", SIMULATED)
    summary = json.loads(folder.summary.read_text())
    table = {"kind": "table", "ratio": 0.6, "reference": "W8A8", "reached": 0.59}
    summary["details"]["budgets"] = [table]
    write_json(folder.summary, summary)
    text = " ".join(read_page(write_report(folder.path)).words)
    assert "latency by the table, ratio to W8A8" in text


def test_the_budget_most_used_up_counts_and_latency_as_measured() -> None:
    budgets = [{"kind": "latency", "ratio": 0.8}, {"kind": "size", "ratio": 0.5}]
    trial = {"ratios": {"latency": 0.4, "size": 0.3}, "latency_ratio": None}
    assert used_up(trial, budgets) == pytest.approx(0.6)
    assert used_up({**trial, "latency_ratio": 0.88}, budgets) == pytest.approx(1.1)


def test_what_another_bound_of_a_sweep_found_is_shown_without_own_trials(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    summary = json.loads(folder.summary.read_text())
    summary["details"]["within"] = "size=0.5x"
    write_json(folder.summary, summary)
    folder.trials.unlink()
    text = " ".join(read_page(write_report(folder.path)).words)
    assert "proposed in episode 3 of the search within size=0.5x" in text
    assert "No episode of its own" in text
