from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haq.cost import parse_budget, read_table
from haq.data import load_splits
from haq.evaluators import make_evaluator
from haq.progress import Silent
from haq.search.final import FINALISTS
from haq.search.request import SearchRequest
from haq.search.run import load_subject, run_search
from haq.search.target import LEAST_DRAWS, LEAST_ROUNDS
from haq.store import RunFolder
from haq.store.run_folder import read_json
from quant.errors import BoardError, BudgetError, DataError, InputError
from quant.policy import Policy, uniform
from tests.haq.cost.tables import write_profile, write_table
from tests.haq.search.runs import same_run, small_request, stop_evaluation, trials
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found
from tests.haq.subjects import SMALL, cropped, write_images

EPISODES = 6
NUMBERS = {"top1", "kl", "latency_ratio", "latency_ms", "size_bytes"}
FILES = {
    *("run.json", "policy.json", "trials.jsonl", "store.sqlite", "summary.json"),
    "harm.json",
    *("mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml", "mbv2.onnx"),
}
EXPORTS = {
    *("ncnn_param", "ncnn_bin", "onnx", "ncnn_top1", "onnx_top1"),
    *("ncnn_agreement", "onnx_agreement"),
}


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    """The small network, ten images to search on and eight to test on, bits 8 and 32."""
    return small_request(tmp_path_factory.mktemp("inputs"), episodes=EPISODES)


def search(request: SearchRequest, path: Path, board: SimulatedBoard | None = None) -> Any:
    return run_search(request, RunFolder(path, "mbv2"), board or SimulatedBoard(), Silent())


@pytest.fixture(scope="module")
def finished(
    request_: SearchRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], SimulatedBoard]:
    """The folder of a search that was not interrupted, its summary and its board."""
    path, board = tmp_path_factory.mktemp("runs") / "finished", SimulatedBoard()
    summary = search(request_, path, board)
    return path, summary, board


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_summary_has_exactly_its_keys(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    path, summary, _ = finished
    assert set(summary) == {"run", "model", "best", "uniform", "exports", "episodes", "seconds"}
    assert set(summary["best"]) == NUMBERS | {"policy"}
    assert {k: set(row) for k, row in summary["uniform"].items()} == dict.fromkeys(
        ("8", "16", "32"), NUMBERS
    )
    assert set(summary["exports"]) == EXPORTS
    assert (summary["run"], summary["model"], summary["episodes"]) == (str(path), "mbv2", EPISODES)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_folder_holds_the_run(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    path, summary, _ = finished
    assert {file.name for file in path.iterdir()} == FILES | {"profile.json"}
    saved = read_json(path / "summary.json")
    assert saved.pop("details")["budget"]["ratio"] == 0.9
    assert saved == summary
    assert read_json(path / "policy.json") == summary["best"]["policy"]
    assert [trial["episode"] for trial in trials(path)] == list(range(1, EPISODES + 1))
    assert summary["best"]["size_bytes"] == (path / "mbv2.ncnn.bin").stat().st_size


def test_the_best_keeps_the_budget_and_is_the_best_that_does(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    path, summary, board = finished
    best = Policy.from_json(summary["best"]["policy"])
    assert summary["best"]["latency_ratio"] == board.latency(best).ratio <= 0.9
    within = [t for t in trials(path) if t["latency_ratio"] <= 0.9]
    chosen = min(within, key=lambda trial: float(trial["kl"]))
    assert chosen["policy"] == summary["best"]["policy"]


def test_every_trial_is_what_the_board_and_the_bits_allow(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    path, _, board = finished
    for trial in trials(path):
        policy = Policy.from_json(trial["policy"])
        assert policy.is_deployable
        assert trial["latency_ratio"] == board.latency(policy).ratio
        assert trial["cost"] <= 0.9 + 1e-12
        assert trial["images"] == 10
    assert trials(path)[0]["origin"] == "ilp"
    assert {trial["origin"] for trial in trials(path)[1:]} == {"ddpg"}


def test_uniform_policies_are_measured_beside_the_best(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    _, summary, board = finished
    best = Policy.from_json(summary["best"]["policy"])
    final = board.calls[-1]
    assert best.key() in final
    for bits in (8, 16, 32):
        policy = uniform(board.names, bits, bits)
        assert policy.key() in final
        assert summary["uniform"][str(bits)]["latency_ratio"] == board.latency(policy).ratio
    assert summary["uniform"]["32"]["kl"] == 0


def test_deployable_policies_are_executed_and_simulated(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    path, summary, _ = finished
    scores = read_json(path / "summary.json")["details"]["scores"]
    assert set(scores) == {"best", "8", "16", "32"}
    assert all(set(one) == {"executed", "simulated"} for one in scores.values())
    assert scores["best"]["executed"]["kl"] == summary["best"]["kl"]
    assert scores["32"]["simulated"]["kl"] == 0
    executed, simulated = scores["8"]["executed"]["kl"], scores["8"]["simulated"]["kl"]
    assert executed != simulated == pytest.approx(executed, rel=0.5)


def test_no_image_is_both_searched_and_tested(
    request_: SearchRequest, finished: tuple[Path, dict[str, Any], SimulatedBoard]
) -> None:
    path, _, _ = finished
    splits = load_splits(request_.data, None, SMALL.input_size)
    assert [len(s) for s in (splits.calibration, splits.validation, splits.test)] == [2, 10, 8]
    assert read_json(path / "summary.json")["details"]["images"] == 8


def test_equal_seeds_give_equal_searches(
    request_: SearchRequest,
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
    tmp_path: Path,
) -> None:
    again = SimulatedBoard()
    search(request_, tmp_path / "again", again)
    assert same_run(finished[0], tmp_path / "again")
    assert again.calls == finished[2].calls


def test_other_seeds_give_other_searches(
    request_: SearchRequest,
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
    tmp_path: Path,
) -> None:
    search(replace(request_, seed=1), tmp_path / "other")
    assert trials(tmp_path / "other")[1:] != trials(finished[0])[1:]


@pytest.mark.parametrize("which", [0, -2, -1], ids=["probes", "episodes", "final"])
def test_a_search_whose_board_was_lost_goes_on(
    request_: SearchRequest,
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
    tmp_path: Path,
    which: int,
) -> None:
    lost_at = range(1, len(finished[2].calls) + 1)[which]
    path, lost, again = tmp_path / "run", SimulatedBoard(lost_at), SimulatedBoard()
    with pytest.raises(BoardError, match="was lost"):
        search(request_, path, lost)
    search(request_, path, again)
    assert same_run(finished[0], path)
    assert lost.calls + again.calls == finished[2].calls
    assert lost.profiled + again.profiled == finished[2].profiled


@pytest.mark.parametrize("stop_at", [1, 55, 60])
def test_an_interrupted_search_goes_on(
    request_: SearchRequest,
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int,
) -> None:
    """At the first probe of a layer, at an episode, and at the final test."""
    asked = stop_evaluation(monkeypatch, stop_at)
    with pytest.raises(KeyboardInterrupt):
        search(request_, tmp_path / "run")
    search(request_, tmp_path / "run")
    assert same_run(finished[0], tmp_path / "run")
    stopped = asked.pop(stop_at - 1)
    assert asked[stop_at - 1] == stopped


def test_a_finished_search_run_again_measures_nothing(
    request_: SearchRequest, finished: tuple[Path, dict[str, Any], SimulatedBoard]
) -> None:
    path, summary, _ = finished
    before, board = content(path), SimulatedBoard()
    again = search(request_, path, board)
    assert not board.calls
    assert not board.profiled
    assert {**again, "seconds": 0} == {**summary, "seconds": 0}
    after = content(path)
    assert {**after, "summary.json": b""} == {**before, "summary.json": b""}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"episodes": EPISODES + 1},
        {"bits": (8, 16, 32)},
        {"budget": None},
        {"reward": "top1"},
    ],
)
def test_a_folder_of_another_search_is_left_alone(
    request_: SearchRequest,
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
    change: dict[str, Any],
) -> None:
    path, _, _ = finished
    before = content(path)
    with pytest.raises(InputError, match="other settings, weights or images"):
        search(replace(request_, **change), path)
    assert content(path) == before


def test_a_store_may_move_with_its_runs(
    request_: SearchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"

    def search_in(store: Path, board: SimulatedBoard) -> None:
        folder, url = RunFolder(tmp_path / "run", "mbv2"), f"sqlite:///{store}"
        run_search(request_, folder, board, Silent(), store_url=url)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_evaluation(patched, 20)
        search_in(old, SimulatedBoard())
    with pytest.raises(InputError, match=r"run is not kept in .*new\.sqlite: .*old\.sqlite"):
        search_in(new, SimulatedBoard())
    shutil.move(old, new)
    board = SimulatedBoard()
    search_in(new, board)
    assert not board.profiled
    assert RunFolder(tmp_path / "run", "mbv2").kept_in == f"sqlite:///{new}"


@pytest.mark.parametrize(
    ("budget", "least"),
    [
        ("latency=0.2x", r"least reachable is about 0\.\d+x \(\d\.\d+ ms\)"),
        ("latency=0.1ms", r"least reachable is about 0\.\d+x \(\d\.\d+ ms\)"),
        ("size=0.1x", r"least reachable is \S+ \(0\.\d+x\)"),
        ("bops=0.01x", r"least reachable is \S+ \(0\.06\dx\)"),
    ],
)
def test_an_impossible_budget_names_the_least_and_leaves_no_folder(
    request_: SearchRequest, tmp_path: Path, budget: str, least: str
) -> None:
    with pytest.raises(BudgetError, match=least) as raised:
        search(replace(request_, budget=(parse_budget(budget),)), tmp_path / "runs" / "new")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_budget_does_not_touch_a_run_that_was_there(
    request_: SearchRequest, tmp_path: Path
) -> None:
    impossible = replace(request_, budget=(parse_budget("latency=0.2x"),))
    with pytest.raises(BoardError):
        search(impossible, tmp_path / "run", SimulatedBoard(lost_at=1))
    before, known = content(tmp_path / "run"), found(tmp_path / "run" / "store.sqlite")
    with pytest.raises(BudgetError):
        search(impossible, tmp_path / "run")
    del before["store.sqlite"]
    assert before.items() <= content(tmp_path / "run").items()
    for table, rows in found(tmp_path / "run" / "store.sqlite").items():
        assert rows[: len(known[table])] == known[table]


def test_without_a_budget_the_result_beats_float_and_uniform_8(
    request_: SearchRequest, tmp_path: Path
) -> None:
    summary = search(replace(request_, budget=None, episodes=2), tmp_path / "run")
    ratio = summary["best"]["latency_ratio"]
    assert ratio < 1
    assert ratio <= summary["uniform"]["8"]["latency_ratio"]
    assert not read_json(tmp_path / "run" / "summary.json")["details"]["budget"]["given"]


def test_a_size_budget_is_kept_by_the_written_file(request_: SearchRequest, tmp_path: Path) -> None:
    board = SimulatedBoard()
    request = replace(request_, budget=(parse_budget("size=0.6x"),), episodes=3)
    summary = search(request, tmp_path / "run", board)
    assert summary["best"]["size_bytes"] <= 0.6 * summary["uniform"]["32"]["size_bytes"]
    assert (tmp_path / "run" / "mbv2.ncnn.bin").stat().st_size == summary["best"]["size_bytes"]
    assert not (tmp_path / "run" / "profile.json").exists()
    assert summary["best"]["latency_ratio"] is not None
    assert len(board.calls) == 1


def test_simulated_bits(request_: SearchRequest, tmp_path: Path) -> None:
    request = replace(
        request_, bits=tuple(range(2, 9)), budget=(parse_budget("size=0.25x"),), episodes=3
    )
    board, path = SimulatedBoard(), tmp_path / "run"
    summary = search(request, path, board)
    policy = Policy.from_json(summary["best"]["policy"])
    names = list(policy.layers)
    assert not policy.is_deployable
    assert {policy[names[0]].weight, policy[names[-1]].activation} == {8}
    assert {b for bits in policy.layers.values() for b in (bits.weight, bits.activation)} <= set(
        range(2, 9)
    )
    assert (summary["best"]["latency_ratio"], summary["best"]["latency_ms"]) == (None, None)
    assert summary["best"]["size_bytes"] <= 0.25 * summary["uniform"]["32"]["size_bytes"]
    exports = summary["exports"]
    assert [exports[k] for k in ("ncnn_param", "ncnn_bin", "ncnn_top1", "ncnn_agreement")] == [
        None
    ] * 4
    assert exports["onnx_agreement"] >= 0.75
    assert {file.name for file in path.iterdir()} == FILES - {
        *("mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml")
    }
    assert board.calls == [[uniform(board.names, b, b).key() for b in (8, 16, 32)]]
    assert summary["uniform"]["8"]["kl"] == kl_in_ncnn(request, uniform(names, 8, 8))


def test_bits_within_a_table_and_a_size(request_: SearchRequest, tmp_path: Path) -> None:
    """Nothing is measured but uniform policies, and ratios are to W8A8."""
    table = read_table(write_table(tmp_path / "table.npy", 53))
    budgets = parse_budget("size=0.25x"), parse_budget("latency=0.6x")
    request = replace(
        request_,
        bits=tuple(range(2, 9)),
        budget=budgets,
        table=table,
        quantizer="naive",
        episodes=3,
    )
    board, path = SimulatedBoard(), tmp_path / "run"
    best = search(request, path, board)["best"]
    assert best["latency_ratio"] is None
    assert len(board.calls) == 1
    assert not board.profiled
    shown = {one["kind"]: one for one in read_json(path / "summary.json")["details"]["budgets"]}
    assert [(kind, one["reference"]) for kind, one in shown.items()] == [
        *(("size", "float"), ("table", "W8A8"))
    ]
    graph = load_subject(request)[0].network.graph
    costs = table.relative(graph, request.choices(graph))
    policy = Policy.from_json(best["policy"])
    assert shown["table"]["reached"] == costs.ratio(policy) <= 0.6
    assert shown["size"]["reached"] <= 0.25
    assert all(t["cost"] == 0 and t["ratios"]["table"] <= 0.6 for t in trials(path))
    assert read_json(path / "run.json")["table"]["sha256"] == table.digest
    other = read_table(write_table(tmp_path / "table.npy", 53, seed=1))
    with pytest.raises(InputError, match=r"other settings, weights or images \(sha256\)"):
        search(replace(request, table=other), path)


def test_a_table_of_another_network_leaves_no_folder(
    request_: SearchRequest, tmp_path: Path
) -> None:
    few = read_table(write_table(tmp_path / "table.npy", 52))
    with pytest.raises(InputError, match="holds 52 layers, but the network has 53"):
        search(replace(request_, bits=(4, 8), table=few), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_measured_latency_beside_a_size(request_: SearchRequest, tmp_path: Path) -> None:
    budgets = parse_budget("latency=0.92x"), parse_budget("size=0.8x"), parse_budget("energy=0.9x")
    board, path = SimulatedBoard(), tmp_path / "run"
    summary = search(replace(request_, budget=budgets), path, board)
    best = Policy.from_json(summary["best"]["policy"])
    assert summary["best"]["latency_ratio"] == board.latency(best).ratio <= 0.92
    assert summary["best"]["size_bytes"] <= 0.8 * summary["uniform"]["32"]["size_bytes"]
    shown = read_json(path / "summary.json")["details"]["budgets"]
    assert [one["kind"] for one in shown] == ["size", "energy", "latency"]
    assert all(one["reached"] <= one["ratio"] for one in shown)
    assert shown[2]["reached"] == summary["best"]["latency_ratio"]
    assert all(trial["latency_ratio"] is not None for trial in trials(path))


def test_budgets_that_exclude_each_other_leave_no_folder(
    request_: SearchRequest, tmp_path: Path
) -> None:
    """Least latency keeps layers in float that are slower at 8 bits."""
    budgets = parse_budget("latency=0.89x"), parse_budget("size=0.3x")
    with pytest.raises(BudgetError, match="cannot be met together: the closest policy found has"):
        search(replace(request_, budget=budgets), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_profile_from_a_file_stands_for_the_board(
    request_: SearchRequest, tmp_path: Path
) -> None:
    names = load_subject(request_)[0].network.graph.layer_names
    table = read_table(write_profile(tmp_path / "table.json", names))
    board, path = SimulatedBoard(), tmp_path / "run"
    search(replace(request_, table=table, episodes=3), path, board)
    (shown,) = read_json(path / "summary.json")["details"]["budgets"]
    assert (shown["kind"], shown["reference"]) == ("table", "float")
    assert shown["reached"] <= 0.9
    assert not board.profiled
    assert len(board.calls) == 1
    assert all(trial["latency_ratio"] is None for trial in trials(path))


def test_shared_weights(request_: SearchRequest, tmp_path: Path) -> None:
    request = replace(
        request_,
        quantizer="kmeans",
        bits=(2, 4, 6, 32),
        budget=(parse_budget("size=0.3x"),),
        episodes=3,
    )
    path = tmp_path / "run"
    summary = search(request, path)
    best, exports = summary["best"], summary["exports"]
    policy = Policy.from_json(best["policy"])
    assert {bits.activation for bits in policy.layers.values()} == {32}
    assert {bits.weight for bits in policy.layers.values()} <= {2, 4, 6, 32}
    assert best["latency_ratio"] is None
    assert exports["packed_bytes"] == best["size_bytes"]
    assert best["size_bytes"] <= 0.3 * summary["uniform"]["32"]["size_bytes"]
    assert exports["ncnn_agreement"] == exports["onnx_agreement"] == 1
    assert set(exports["finetuned"]) == {"top1", "kl", "agreement"}
    details = read_json(path / "summary.json")["details"]
    scores, near = details["scores"], list(details["uniform_kmeans"])
    assert exports["finetuned"].items() <= scores["best"]["finetuned"].items()
    assert [set(scores[name]) for name in near] == [{"simulated", "finetuned"}] * len(near)
    sizes = [details["uniform_kmeans"][name]["size_bytes"] for name in near]
    assert sizes[0] <= best["size_bytes"] <= sizes[-1]
    assert set(details["equal_size"]) == {"simulated", "finetuned"}
    assert {file.name for file in path.iterdir()} == FILES | {"mbv2.shared.safetensors"}
    assert set(exports) == EXPORTS | {
        *("packed", "packed_bytes", "ncnn_bytes", "deployment", "finetuned")
    }


def kl_in_ncnn(request: SearchRequest, policy: Policy) -> float:
    subject, splits = load_subject(request)
    able = SimulatedBoard().capabilities()
    return make_evaluator(subject, splits.test, able, "ncnn").score([policy])[0].kl


def test_other_images_behind_the_same_path_do_not_continue_a_run(
    request_: SearchRequest, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    request = replace(request_, data=str(write_images(images, cropped("test", 20))), episodes=4)
    search(request, tmp_path / "run")
    before, board = content(tmp_path / "run"), SimulatedBoard()
    shutil.rmtree(images)
    write_images(images, cropped("validation", 20))
    with pytest.raises(InputError, match="other settings"):
        search(request, tmp_path / "run", board)
    assert not board.calls
    assert content(tmp_path / "run") == before


def test_images_that_do_not_fit_are_refused_before_anything_is_written(
    request_: SearchRequest, tmp_path: Path
) -> None:
    images = cropped("test", 20)
    wrong = replace(images, labels=images.labels + 5)
    data = str(write_images(tmp_path / "data", wrong))
    with pytest.raises(DataError, match="label 14 in the data, but the network has 10 classes"):
        search(replace(request_, data=data), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_board_measures_whole_batches(
    finished: tuple[Path, dict[str, Any], SimulatedBoard],
) -> None:
    sizes = [len(call) for call in finished[2].calls]
    assert sizes[0] > 8
    rounds, between = sizes[1 : 1 + LEAST_ROUNDS], sizes[1 + LEAST_ROUNDS : -2]
    assert all(size <= 1 + LEAST_DRAWS for size in rounds)
    assert all(size == 1 for size in between)
    assert sizes[-2] == EPISODES - 1
    assert 4 <= sizes[-1] <= FINALISTS + 3
