from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.exc import OperationalError

from haq.board import Board
from haq.cli._progress import Bars, make_bars
from haq.parallel import LocalWorkers, Task
from haq.store.database import Database
from haq.store.lock import sole_use
from quant.errors import WorkerError
from quant.evaluate import Seen
from quant.policy import Policy
from tests.device_agent.conftest import KEY
from tests.haq.cli.program import haq
from tests.haq.cost.tables import write_table
from tests.haq.mortal import Killer, Mortal, mortal
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found
from tests.haq.subjects import cropped, write_images, write_small_weights

NUMBERS = {"top1", "kl", "latency_ratio", "latency_ms", "size_bytes"}
FILES = {
    *("policy.json", "mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml", "mbv2.onnx"),
    *("report.html", "summary.json", "trials.jsonl", "profile.json", "harm.json", "store.sqlite"),
    "run.json",
}
SHORT = ("--episodes", "2", "--bits", "8,32", "--observer", "absmax")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[SimulatedBoard]:
    """Boards to be handed out, the last one first."""
    boards = [SimulatedBoard()]
    monkeypatch.setattr("haq.connect.open_boards", lambda *arguments: boards.pop())
    return boards


def test_the_last_line_is_the_result(
    small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    done = haq("search", "--model", "mbv2", *small, *SHORT, "--out", "runs/x", "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert list(done.result) == [
        *("run", "model", "best", "uniform", "exports", "episodes", "seconds")
    ]
    assert set(done.result["best"]) == NUMBERS | {"policy"}
    assert list(done.result["uniform"]) == ["8", "16", "32"]
    assert all(set(row) == NUMBERS for row in done.result["uniform"].values())
    assert list(done.result["exports"]) == [
        *("ncnn_param", "ncnn_bin", "onnx", "ncnn_top1", "onnx_top1"),
        *("ncnn_agreement", "onnx_agreement"),
    ]
    assert (done.result["run"], done.result["episodes"]) == ("runs/x", 2)
    assert {path.name for path in (cwd / "runs" / "x").iterdir()} == FILES
    saved = json.loads((cwd / "runs" / "x" / "policy.json").read_text())
    assert Policy.from_json(saved).to_json() == done.result["best"]["policy"]
    assert "report: runs/x/report.html" in done.err
    assert "uniform 16" in done.err
    lines = [line.split() for line in done.err.splitlines()]
    assert sum(line[:1] == ["fake-quantized"] for line in lines) == 4
    assert "Executed: ncnn itself ran the network" in done.err


def test_a_metric_of_the_users_stands_beside_top1_and_is_the_reward(
    small: tuple[str, ...],
    simulated: list[SimulatedBoard],
    cwd: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (cwd / "own_judge.py").write_text(
        "def margin(logits, labels):\n    return 100 * (logits.argmax(1) == labels).mean()\n"
    )
    judged = ("--metric", "own_judge:margin", "--reward", "metric")
    done = haq("search", *small, *SHORT, *judged, "--out", "run", "--json")
    assert done.code == 0, done.err
    rows = [done.result["best"], *done.result["uniform"].values()]
    assert all(set(row) - {"policy"} == NUMBERS | {"metric"} for row in rows)
    for row in rows:
        assert row["metric"] == {
            "name": "own_judge:margin",
            "value": pytest.approx(100 * row["top1"]),
        }
    trials = [json.loads(line) for line in (cwd / "run" / "trials.jsonl").read_text().splitlines()]
    assert [trial["metric"]["value"] for trial in trials] == [
        pytest.approx(100 * trial["top1"]) for trial in trials
    ]
    float_top1 = trials[0]["top1"] - trials[0]["reward"] / 1000
    assert trials[1]["reward"] == pytest.approx(1000 * (trials[1]["top1"] - float_top1))
    (titles,) = [line.split() for line in done.err.splitlines() if "top-1" in line]
    assert titles[:5] == ["policy", "score", "top-1", "KL", "margin"]
    assert "<th>own_judge:margin</th>" in (cwd / "run" / "report.html").read_text()


def test_without_out_the_folder_is_named_by_model_and_time(
    small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    done = haq("search", *small, *SHORT, "--budget", "size=0.9x")
    assert (done.code, done.out) == (0, "")
    (folder,) = (cwd / "runs").iterdir()
    assert folder.name.startswith("mbv2-20")
    assert (folder / "report.html").is_file()


def test_several_budgets_and_a_table(
    small: tuple[str, ...], simulated: list[SimulatedBoard], tmp_path: Path, cwd: Path
) -> None:
    table = write_table(tmp_path / "table.npy", 53)
    done = haq(
        *("search", *small, "--episodes", "2", "--bits", "2-8", "--observer", "absmax"),
        *("--quantizer", "naive", "--table", table, "--out", "run", "--json"),
        *("--budget", "latency=0.6x", "--budget", "size=0.25x"),
    )
    assert done.code == 0, done.err
    assert done.result["best"]["latency_ratio"] is None
    assert "latency by the table 0." in done.err
    assert "of W8A8 (at most 0.600)" in done.err
    assert "latency by the table ≤ 0.600 of W8A8" in (cwd / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    "asked", [("--budget", "size=0.9x,0.7x"), ("--pareto", "2", "--budget", "size")]
)
def test_a_sweep_is_one_line_with_its_front(
    asked: tuple[str, ...], small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    done = haq("search", *small, *SHORT, *asked, "--out", "runs/x", "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    assert list(done.result) == ["run", "model", "front", "episodes", "seconds"]
    front = done.result["front"]
    assert all(
        list(entry) == ["bound", "cost_ratio", "top1", "kl", "latency_ratio", "size_bytes", "run"]
        for entry in front
    )
    assert (done.result["run"], done.result["episodes"], len(front)) == ("runs/x", 4, 2)
    for entry in front:
        assert entry["bound"] in done.err
        assert (cwd / entry["run"] / "report.html").is_file()
        assert entry["cost_ratio"] <= float(entry["bound"][len("size=") : -1])
    assert "report: runs/x/report.html" in done.err
    assert "what every bound allows" in (cwd / "runs" / "x" / "report.html").read_text()


def test_a_bound_of_a_sweep_that_cannot_be_met_leaves_nothing_behind(
    small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    done = haq("search", *small, *SHORT, "--budget", "size=0.9x,0.1x")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("haq: a size of ")
    assert "(0.100x) cannot be met: the least reachable is" in done.err.splitlines()[-1]
    assert list(cwd.iterdir()) == []


def test_a_lost_board_says_how_to_go_on(
    small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    simulated.append(SimulatedBoard(lost_at=2))
    arguments = ("search", *small, *SHORT, "--out", "runs/x", "--json", "--patience", "0")
    lost = haq(*arguments)
    assert (lost.code, lost.out) == (2, "")
    assert lost.err.splitlines()[-1] == (
        "haq: the device agent was lost; nothing is lost, to go on: haq search --resume runs/x"
    )
    simulated.append(SimulatedBoard())
    assert haq("search", "--resume", "runs/x", "--json").result["run"] == "runs/x"
    again = haq(*arguments)
    assert again.code == 0
    assert simulated == []


def test_an_interrupted_search_says_how_to_go_on(
    small: tuple[str, ...],
    simulated: list[SimulatedBoard],
    cwd: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    simulated.append(SimulatedBoard())
    monkeypatch.setattr("haq.search.stages.measure_harm", stop)
    done = haq("search", *small, *SHORT, "--out", "runs/x")
    assert done.code == 130
    assert "nothing is lost, to go on: haq search --resume runs/x" in done.err.splitlines()
    assert done.err.splitlines()[-1] == "haq: interrupted"


def test_a_folder_of_another_search_is_refused(
    small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    simulated.append(SimulatedBoard(lost_at=1))
    haq("search", *small, *SHORT, "--out", "runs/x")
    before = {path.name: path.read_bytes() for path in (cwd / "runs" / "x").iterdir()}
    done = haq("search", *small, *SHORT, "--out", "runs/x", "--seed", "1")
    assert (done.code, done.out) == (2, "")
    assert done.error == (
        "runs/x holds a run with other settings, weights or images (seed): "
        "restore them, or name another --out"
    )
    assert {p.name: p.read_bytes() for p in (cwd / "runs" / "x").iterdir()} == before


@pytest.fixture
def stopped(small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path) -> Path:
    """A run whose board was lost; another board is there."""
    simulated.append(SimulatedBoard(lost_at=2))
    assert haq("search", *small, *SHORT, "--seed", "3", "--out", "runs/x").code == 2
    return Path("runs/x")


def test_a_run_is_resumed_with_its_own_settings_and_once_finished_says_so(stopped: Path) -> None:
    done = haq("search", "--resume", stopped, "--json")
    assert done.code == 0, done.err
    assert json.loads((stopped / "run.json").read_text())["seed"] == 3
    assert (stopped / "report.html").is_file()
    before = {path.name: path.read_bytes() for path in stopped.iterdir()}
    again = haq("search", "--resume", stopped, "--json")
    assert (again.code, again.out) == (0, done.out)
    assert again.err.splitlines()[0] == "runs/x is finished: nothing is left to do"
    assert "report: runs/x/report.html" in again.err
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == before


@pytest.mark.parametrize("how", [("--workers", "2"), ("--ray", "local", "--workers", "1")])
def test_a_run_goes_on_with_workers_elsewhere_and_comes_to_the_same_end(
    how: tuple[str, ...], small: tuple[str, ...], stopped: Path, simulated: list[SimulatedBoard]
) -> None:
    if "--ray" in how:
        pytest.importorskip("ray", reason="Ray is not installed")
    simulated.append(SimulatedBoard())
    alone = haq("search", *small, *SHORT, "--seed", "3", "--out", "runs/alone", "--json")
    done = haq("search", "--resume", stopped, *how, "--json")
    assert (done.code, len(done.out.splitlines())) == (0, 1), done.err
    assert done.result["best"] == alone.result["best"]
    for name in ("trials.jsonl", "policy.json"):
        assert (stopped / name).read_bytes() == Path("runs/alone", name).read_bytes()
    assert found(stopped / "store.sqlite") == found(Path("runs/alone/store.sqlite"))
    assert "Traceback" not in done.err


def test_without_ray_or_a_cluster_the_line_says_what_to_do(
    small: tuple[str, ...], cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = haq("search", *small, *SHORT, "--ray", "auto")
    assert (done.code, done.error) == (2, "--ray needs Ray: pip install 'haq[ray]'")
    assert list(cwd.iterdir()) == []


def test_lost_workers_say_how_to_go_on(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(self: LocalWorkers, tasks: Sequence[Task]) -> Iterator[Seen]:
        raise WorkerError("nobody is there")
        yield

    monkeypatch.setattr(LocalWorkers, "see", lose)
    done = haq("search", "--resume", stopped)
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        "haq: nobody is there; nothing is lost, to go on: haq search --resume runs/x"
    )


def test_settings_are_not_given_twice(stopped: Path) -> None:
    done = haq("search", "--resume", stopped, "--seed", "3", "--bits", "2-8", "--patience", "1")
    assert done.code == 2
    assert done.error == "--resume takes all settings from the run: leave out --bits, --seed"


def test_what_is_no_run_is_not_resumed(cwd: Path) -> None:
    done = haq("search", "--resume", "runs/x")
    assert done.code == 2
    assert done.error == "runs/x is no run folder: give the --out of a search"
    assert list(cwd.iterdir()) == []


def test_a_run_whose_files_are_gone_or_changed_is_not_resumed(
    simulated: list[SimulatedBoard], cwd: Path, tmp_path: Path
) -> None:
    weights = write_small_weights(tmp_path / "weights.safetensors")
    images = write_images(tmp_path / "images", cropped("test", 20))
    inputs = ("--weights", weights, "--input", "16", "--data", images)
    simulated.append(SimulatedBoard(lost_at=2))
    haq("search", *inputs, *SHORT, "--out", "run")
    before = {path.name: path.read_bytes() for path in (cwd / "run").iterdir()}
    weights.rename(tmp_path / "aside")
    gone = haq("search", "--resume", "run")
    assert gone.code == 2
    assert gone.error == (
        f"no such weights file: {weights}; run names files as they were typed when it began"
    )
    (tmp_path / "aside").rename(weights)
    shutil.rmtree(images)
    write_images(images, cropped("validation", 20))
    changed = haq("search", "--resume", "run")
    assert changed.code == 2
    assert changed.error == (
        "run holds a run with other settings, weights or images (calibration, validation, test): "
        "restore them, or name another --out"
    )
    assert {path.name: path.read_bytes() for path in (cwd / "run").iterdir()} == before


def test_the_second_process_on_a_run_is_refused(small: tuple[str, ...], stopped: Path) -> None:
    before = (stopped / "store.sqlite").read_bytes()
    said = f"runs/x is in use by process {os.getpid()}: wait until it ends, or stop it"
    with sole_use(stopped):
        for arguments in (["--resume", stopped], [*small, *SHORT, "--out", stopped]):
            done = haq("search", *arguments)
            assert (done.code, done.error) == (2, said)
    assert (stopped / "store.sqlite").read_bytes() == before
    assert haq("search", "--resume", stopped).code == 0


def test_a_full_disk_says_how_to_go_on(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_write", full)
        done = haq("search", "--resume", stopped)
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        f"haq: no space left on the disk for {stopped.absolute() / 'store.sqlite'}: make room; "
        "nothing is lost, to go on: haq search --resume runs/x"
    )


def test_a_disk_that_is_full_elsewhere_is_one_line_too(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("haq.connect.open_boards", full)
    done = haq("search", "--resume", stopped)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("haq: no space left on the disk for runs/x: make")


@pytest.mark.parametrize(
    ("budget", "said"),
    [("latency=0.1x", "on this board: the least reachable"), ("size=0.1x", "the least reachable")],
)
def test_an_impossible_budget_leaves_nothing_behind(
    budget: str, said: str, small: tuple[str, ...], simulated: list[SimulatedBoard], cwd: Path
) -> None:
    done = haq("search", *small, *SHORT, "--budget", budget)
    assert (done.code, done.out) == (2, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("haq: a ")
    assert said in last
    assert "Traceback" not in done.err
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "absent.pth"], "no such weights file: absent.pth"),
        (["--model", "resnet"], "unknown model 'resnet'"),
        (["--budget", "fast"], "budget 'fast' is not understood: write it like latency=0.9x"),
        (["--budget", "latency=12"], "budget 'latency=12' is not understood"),
        (["--bits", "8,64"], "bits '8,64' are not understood"),
        (["--bits", "all"], "bits 'all' are not understood"),
        (["--bits", "2-8"], "ncnn runs 8, 16 and 32 bits only"),
        (["--bits", "2-8", "--budget", "latency=0.9x"], "ncnn runs 8, 16 and 32 bits only"),
        (["--bits", "2-8", "--table", "absent.npy"], "no such file: absent.npy"),
        (["--budget", "size=1MB", "--budget", "size=0.5x"], "two budgets of one kind"),
        (["--budget", "size=1MB,0.5x", "--budget", "bops=0.1x,0.2x"], "one sweep at a time"),
        (["--budget", "size"], "budget 'size' is not understood"),
        (["--budget", "energy=0.5x", "--energy-table", "absent"], "no such file: absent"),
        (["--board", "board:8100"], "'board:8100' is not a board's address"),
        (["--board", "http://127.0.0.1:9"], "no device agent answers at http://127.0.0.1:9"),
        (["--data", "absent"], "no such data folder: absent"),
        (["--calibration", "absent"], "no such data folder: absent"),
        (["--data", "own_absent:load"], "own_absent:load cannot be imported"),
        (["--device", "cuda", "--workers", "2"], "--device cuda: one process feeds the GPU"),
        (["--metric", "iou"], "no metric 'iou': choose top1, top5, miou, f1, or package.module:"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str], message: str, small: tuple[str, ...], images: Path, cwd: Path
) -> None:
    chosen = [a.replace("IMAGES", str(images)) for a in arguments]
    nobody = () if "--board" in chosen else ("--board", "http://127.0.0.1:9")
    done = haq("search", *nobody, *small, *chosen)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(message.replace("IMAGES", str(images)))
    assert list(cwd.iterdir()) == []


def test_a_real_agent_on_this_machine(small: tuple[str, ...], cwd: Path) -> None:
    """Everything at once, with a budget that needs few measurements."""
    done = haq(
        *("search", *small, "--episodes", "1", "--bits", "8,32", "--observer", "absmax"),
        *("--budget", "size=0.8x", "--out", "run", "--json"),
    )
    assert done.code == 0
    assert 0.2 < done.result["best"]["latency_ratio"] < 5
    assert done.result["uniform"]["32"]["latency_ratio"] == pytest.approx(1, abs=0.2)
    conditions = json.loads((cwd / "run" / "summary.json").read_text())["details"]["latency"]
    assert conditions["best"]["conditions"]["threads"] == 1


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """An agent on a port of its own, its key, frequent questions and short measurements."""
    monkeypatch.setenv("HAQ_AGENT_KEY", KEY)
    monkeypatch.setattr("haq.search.pause.ASK_EVERY_S", 0.2)
    monkeypatch.setattr("haq.search.target.PROFILE_CHUNK", 60)
    defaults = Board.profile.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "rounds", 2)
    monkeypatch.setattr("haq.search.target.RANDOM_PROBES", 1)
    short = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 4}
    monkeypatch.setattr("haq.search.stages.LIMITS", {"search": short, "final": short})
    with mortal(tmp_path) as found:
        yield found


def test_a_search_waits_for_an_agent_that_is_killed_and_comes_back_empty(
    small: tuple[str, ...], cwd: Path, agent: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the profile, which is asked for twice more, at first without success; then later."""
    killer = Killer(agent, {1, 5}, then=agent.live)
    monkeypatch.setattr("haq.board.connection.make_transport", lambda *where: killer)
    done = haq("search", *small, *SHORT, "--budget", "latency=3x", "--board", agent.url, "--json")
    assert done.code == 0, done.err
    assert done.result["episodes"] == 2
    trials = (cwd / done.result["run"] / "trials.jsonl").read_text().splitlines()
    assert [json.loads(line)["latency_ratio"] > 0 for line in trials] == [True] * 2
    pauses = [line for line in done.err.splitlines() if line.startswith("paused: ")]
    assert len(pauses) == done.err.count("the board answers again: going on") == 2
    assert len(agent.lives) == 3


def test_without_patience_a_search_ends_at_a_loss_and_goes_on_later(
    small: tuple[str, ...], cwd: Path, agent: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer(agent, {1})
    monkeypatch.setattr("haq.board.connection.make_transport", lambda *where: killer)
    command = ("search", *small, *SHORT, "--budget", "size=0.8x", "--out", "run", "--json")
    command = (*command, "--board", agent.url)
    lost = haq(*command, "--patience", "0")
    assert (lost.code, lost.out) == (2, "")
    assert lost.err.splitlines()[-1].endswith(
        "; nothing is lost, to go on: haq search --resume run"
    )
    assert "paused" not in lost.err
    before = found(cwd / "run" / "store.sqlite")["evaluations"]
    agent.live()
    assert haq(*command).result["episodes"] == 2
    assert found(cwd / "run" / "store.sqlite")["evaluations"][: len(before)] == before


def test_bars_count_the_steps_of_each_stage() -> None:
    bars = make_bars(Console(quiet=True))
    progress = Bars(bars)
    progress.advance()
    progress.start("first", 3)
    progress.advance("KL 0.1")
    progress.start("second", 2)
    progress.advance()
    progress.advance()
    assert [(t.description, t.completed, t.total) for t in bars.tasks] == [
        ("first", 1, 1),
        ("second", 2, 2),
    ]
    assert bars.tasks[0].fields["note"] == "KL 0.1"
