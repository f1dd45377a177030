from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from haq.cost import parse_budget, read_table
from haq.progress import Silent
from haq.search._base import Trial
from haq.search.bounds import Bounds
from haq.search.racing import RacingEvaluator
from haq.search.request import SearchRequest
from haq.search.run import load_subject
from haq.search.searchers.guided import GuidedSearcher
from haq.search.sweep import sweep_subject
from haq.search.target import LEAST_ROUNDS
from haq.store import RunFolder
from haq.store.run_folder import read_json
from quant.errors import BudgetError, InputError
from quant.evaluate import Score
from quant.policy import Policy
from tests.haq.cost.tables import write_table
from tests.haq.search.runs import small_request, stop_evaluation, trials
from tests.haq.search.test_run import EXPORTS, FILES, NUMBERS
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found, known_keys

EPISODES = 4
TIGHT, LOOSE = "latency-0.9x", "latency-0.95x"
ENTRY = {"bound", "cost_ratio", "top1", "kl", "latency_ratio", "size_bytes", "run"}


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    """The small network, ten images to search on and eight to test on, two bounds of latency."""
    bounds = Bounds("latency", ("latency=0.95x", "latency=0.9x"))
    folder = tmp_path_factory.mktemp("inputs")
    return small_request(folder, budget=None, sweep=bounds, episodes=EPISODES)


def sweep(request: SearchRequest, path: Path, board: SimulatedBoard | None = None) -> Any:
    given = load_subject(request)
    return sweep_subject(
        request, *given, RunFolder(path, "mbv2"), board or SimulatedBoard(), Silent()
    )


@dataclass(frozen=True)
class Swept:
    """The folder of a sweep that was not interrupted, its summary, its board, what was told.

    `asked` is what ran on images, in order.
    """

    path: Path
    summary: dict[str, Any]
    board: SimulatedBoard
    told: list[int]
    asked: list[str]


@pytest.fixture(scope="module")
def swept(request_: SearchRequest, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    path, board, told = tmp_path_factory.mktemp("runs") / "swept", SimulatedBoard(), []
    tell = GuidedSearcher.tell

    def noted(self: GuidedSearcher, some: Sequence[Trial]) -> None:
        told.append(len(some))
        tell(self, some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuidedSearcher, "tell", noted)
        asked = stop_evaluation(patch, stop_at=0)
        summary = sweep(request_, path, board)
    return Swept(path, summary, board, told, asked)


def test_the_summary_has_a_point_for_each_bound_the_tightest_first(swept: Swept) -> None:
    summary = swept.summary
    assert set(summary) == {"run", "model", "front", "episodes", "seconds"}
    assert [entry["bound"] for entry in summary["front"]] == ["latency=0.9x", "latency=0.95x"]
    assert all(set(entry) == ENTRY for entry in summary["front"])
    assert [entry["run"] for entry in summary["front"]] == [
        str(swept.path / TIGHT),
        str(swept.path / LOOSE),
    ]
    assert summary["episodes"] == 2 * EPISODES
    saved = read_json(swept.path / "summary.json")
    assert saved.pop("details")["kind"] == "latency"
    assert saved == summary


def test_the_bounds_are_kept_as_measured(swept: Swept) -> None:
    for entry, bound in zip(swept.summary["front"], (0.9, 0.95), strict=True):
        policy = Policy.from_json(read_json(Path(entry["run"]) / "policy.json"))
        ratio = swept.board.latency(policy).ratio
        assert entry["cost_ratio"] == entry["latency_ratio"] == ratio <= bound


def test_a_folder_of_a_bound_holds_what_a_search_leaves(swept: Swept) -> None:
    shared = {"run.json", "summary.json", "store.sqlite", "profile.json", "harm.json"} | {
        *(TIGHT, LOOSE)
    }
    assert {file.name for file in swept.path.iterdir()} == shared
    for name in (TIGHT, LOOSE):
        folder = swept.path / name
        assert {file.name for file in folder.iterdir()} == FILES - {"store.sqlite", "harm.json"}
        summary = read_json(folder / "summary.json")
        assert set(summary["best"]) == NUMBERS | {"policy"}
        assert set(summary["exports"]) == EXPORTS
        assert summary["episodes"] == len(trials(folder)) == EPISODES
        assert summary["seconds"] <= swept.summary["seconds"]


def test_nothing_is_evaluated_or_measured_twice(swept: Swept) -> None:
    store = swept.path / "store.sqlite"
    assert len(swept.asked) == len(known_keys(store))
    latencies = [key for kind, key in known_keys(store, "measurements") if kind != "profile"]
    assert [key for call in swept.board.calls for key in call] == latencies
    assert sorted(swept.board.profiled) == sorted(swept.board.names)


def test_a_winner_is_the_best_of_all_trials_that_keep_its_bound(swept: Swept) -> None:
    tried = [trial for name in (TIGHT, LOOSE) for trial in trials(swept.path / name)]
    for name, bound in ((TIGHT, 0.9), (LOOSE, 0.95)):
        within = [trial for trial in tried if trial["latency_ratio"] <= bound]
        best = min(within, key=lambda trial: float(trial["kl"]))
        assert best["policy"] == read_json(swept.path / name / "policy.json")


def test_the_second_searcher_is_told_of_the_first_ones_trials(swept: Swept) -> None:
    batches = [1, EPISODES - 1]
    assert swept.told == [*batches, EPISODES, *batches]


def test_uniform_bits_stand_beside_the_front(swept: Swept) -> None:
    points = read_json(swept.path / "summary.json")["details"]["uniform"]
    assert set(points) == {"8", "32"}
    assert (points["32"]["cost_ratio"], points["32"]["kl"]) == (1, 0)
    assert points["8"]["cost_ratio"] == points["8"]["latency_ratio"]


def test_a_sweep_stopped_within_the_second_bound_goes_on(
    request_: SearchRequest, swept: Swept, tmp_path: Path
) -> None:
    path, first, again = tmp_path / "run", SimulatedBoard(), SimulatedBoard()
    with pytest.MonkeyPatch.context() as patch:
        stop_once_begun(patch, EPISODES + 1)
        with pytest.raises(KeyboardInterrupt):
            sweep(request_, path, first)
    assert len(trials(path / TIGHT)) == EPISODES
    assert len(found(path / "store.sqlite")["trials"]) == EPISODES + 1
    sweep(request_, path, again)
    for name in ("trials.jsonl", "policy.json", "mbv2.ncnn.bin", "mbv2.onnx"):
        for bound in (TIGHT, LOOSE):
            assert (path / bound / name).read_bytes() == (swept.path / bound / name).read_bytes()
    assert found(path / "store.sqlite") == found(swept.path / "store.sqlite")
    # What the board was measuring when it was stopped is asked for again.
    asked = dict.fromkeys(tuple(call) for call in first.calls + again.calls)
    assert [list(call) for call in asked] == swept.board.calls
    assert not again.profiled


def stop_once_begun(patch: pytest.MonkeyPatch, trials: int) -> None:
    """Interrupt the next batch after so many trials."""
    score, scored = RacingEvaluator.score, 0

    def scoring(self: RacingEvaluator, policies: Sequence[Policy]) -> list[Score]:
        nonlocal scored
        if scored == trials:
            raise KeyboardInterrupt
        scored += len(policies)
        return score(self, policies)

    patch.setattr(RacingEvaluator, "score", scoring)


@pytest.mark.parametrize(
    ("typed", "calls"),
    [(("latency=0.95x", "latency=0.2x"), 1 + LEAST_ROUNDS), (("size=0.5x", "size=0.1x"), 0)],
)
def test_a_bound_that_cannot_be_met_is_one_line_before_anything_is_searched(
    request_: SearchRequest, tmp_path: Path, typed: tuple[str, ...], calls: int
) -> None:
    board = SimulatedBoard()
    request = replace(request_, sweep=Bounds(parse_budget(typed[0]).kind, typed))
    with pytest.raises(BudgetError, match=r"cannot be met.*the least reachable is") as raised:
        sweep(request, tmp_path / "runs" / "new", board)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert len(board.calls) <= calls


def test_other_bounds_are_another_run(request_: SearchRequest, swept: Swept) -> None:
    other = replace(request_, sweep=Bounds("latency", ("latency=0.95x", "latency=0.91x")))
    with pytest.raises(InputError, match="other settings"):
        sweep(other, swept.path)


def test_a_bound_missed_by_noise_does_not_lose_the_others(
    request_: SearchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tight one is missed when its finalists are measured again."""
    monkeypatch.setattr(
        "haq.search.final.keeps", lambda latency, target: target.bound > 0.92 and latency.ratio < 1
    )
    summary = sweep(replace(request_, episodes=2), tmp_path / "run")
    assert [entry["bound"] for entry in summary["front"]] == ["latency=0.95x"]
    searches = read_json(tmp_path / "run" / "summary.json")["details"]["searches"]
    assert [bool(one["missed"]) for one in searches] == [True, False]
    assert searches[0]["missed"].startswith("no policy of the search kept 0.900x")


def test_bounds_that_haq_spreads_beside_a_budget_that_stays(
    request_: SearchRequest, tmp_path: Path
) -> None:
    request = replace(
        request_, budget=(parse_budget("latency=0.96x"),), sweep=Bounds("size", (), 2), episodes=2
    )
    front = sweep(request, tmp_path / "run")["front"]
    bounds = [parse_budget(entry["bound"]).amount for entry in front]
    assert 0.25 < bounds[0] < bounds[1] < 1
    for entry, bound in zip(front, bounds, strict=True):
        assert entry["cost_ratio"] <= bound
        assert entry["latency_ratio"] <= 0.96
        assert set(trials(Path(entry["run"]))[0]["ratios"]) == {"size", "latency"}


def test_simulated_bits_within_bounds_of_a_table(request_: SearchRequest, tmp_path: Path) -> None:
    request = replace(
        request_,
        bits=(4, 8),
        table=read_table(write_table(tmp_path / "table.npy", 53)),
        sweep=Bounds("latency", (), 2),
        quantizer="naive",
        episodes=2,
    )
    board, path = SimulatedBoard(), tmp_path / "run"
    front = sweep(request, path, board)["front"]
    details = read_json(path / "summary.json")["details"]
    assert (details["kind"], details["reference"], details["simulated"]) == ("table", "W8A8", True)
    assert all(entry["latency_ratio"] is None for entry in front)
    assert details["uniform"]["w8a8"]["cost_ratio"] == 1
    assert details["uniform"]["w4a4"]["cost_ratio"] < front[0]["cost_ratio"] < 1
    assert not board.profiled


def test_shared_weights_stand_beside_uniform_ones_near_them(
    request_: SearchRequest, tmp_path: Path
) -> None:
    request = replace(
        request_,
        bits=(2, 4, 32),
        quantizer="kmeans",
        sweep=Bounds("size", ("size=0.2x", "size=0.3x")),
        episodes=2,
    )
    front = sweep(request, tmp_path / "run")["front"]
    points = read_json(tmp_path / "run" / "summary.json")["details"]["uniform"]
    assert all(name.endswith("a32") for name in points)
    ratios = sorted(point["cost_ratio"] for point in points.values())
    assert ratios[0] <= front[0]["cost_ratio"] <= front[1]["cost_ratio"] <= ratios[-1]
