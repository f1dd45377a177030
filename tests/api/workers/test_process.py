from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.workers.errand import Errand
from api.workers.process import Process, with_start
from haq.search.asked import Asked
from tests.api.workers.children import CRASHING, DEAF, ENDLESS, KILLED, Command, child, ending
from tests.device_agent.process_table import is_running, wait_for

ERRAND = Errand("1" * 32, Asked())
Start = Callable[[Command], Process]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Start]:
    """Starts a child; all are ended in the end."""
    made: list[Process] = []

    def run(command: Command) -> Process:
        monkeypatch.setattr("api.workers.process.CHILD", command)
        made.append(Process(ERRAND, {"HAQ_BOARDS": "/boards"}, tmp_path / "log"))
        return made[-1]

    yield run
    for process in made:
        process.kill()


def pid_of(process: Process) -> int:
    wait_for(lambda: process.progress)
    return int(process.progress["note"])


def test_what_a_child_says_is_heard(start: Start) -> None:
    process = start(ending("failed", "no such layer"))
    assert process.is_over(20)
    assert process.ended == {"ended": "failed", "error": "no such layer"}
    assert (process.progress["stage"], process.progress["done"], process.exit_code) == (
        "search",
        1,
        0,
    )


def test_a_child_is_told_its_errand_and_its_environment(start: Start) -> None:
    script = 'say(stage=errand["job_id"], done=0, total=0, note=os.environ["HAQ_BOARDS"])'
    process = start(child(script))
    assert process.is_over(20)
    assert (process.progress["stage"], process.progress["note"]) == (ERRAND.job_id, "/boards")


def test_what_it_writes_to_standard_error_is_in_the_log(start: Start, tmp_path: Path) -> None:
    for _ in range(2):
        assert start(child('print("trouble", file=sys.stderr)')).is_over(20)
    assert (tmp_path / "log").read_text() == "trouble\n" * 2


@pytest.mark.parametrize(("command", "code"), [(CRASHING, 3), (KILLED, -9), (DEAF, 4)])
def test_a_child_that_ends_without_a_word(start: Start, command: Command, code: int) -> None:
    process = start(command)
    assert process.is_over(20)
    assert (process.ended, process.exit_code) == (None, code)


def test_half_a_line_is_nothing(start: Start) -> None:
    process = start(child('sys.stdout.write(\'{"ended": "do\'); sys.stdout.flush(); os._exit(1)'))
    assert process.is_over(20)
    assert process.ended is None


def test_a_child_can_be_killed(start: Start) -> None:
    process = start(ENDLESS)
    pid = pid_of(process)
    assert not process.is_over(0)
    process.kill()
    assert process.is_over(0)
    assert not is_running(pid)


def test_a_real_child_ends_with_its_worker(tmp_path: Path) -> None:
    """Its lifeline is standard input, which the system closes for whoever is killed."""
    script = (
        "from pathlib import Path; from api.workers.process import Process\n"
        "from api.workers.errand import Errand; from haq.search.asked import Asked\n"
        "errand = Errand('1' * 32, Asked(weights=Path('/dev/tty')))\n"
        f"p = Process(errand, {{}}, Path({str(tmp_path / 'log')!r}))\n"
        "print(p._child.pid, flush=True); import os; os.read(0, 1)"
    )
    worker = subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    assert is_running(pid)
    worker.kill()
    worker.wait()
    wait_for(lambda: not is_running(pid))


def test_a_stage_keeps_the_time_at_which_it_began() -> None:
    first = with_start({"stage": "search", "done": 0}, {})
    assert first["since"] <= time.time()
    later = with_start({"stage": "search", "done": 2}, {**first, "since": 5.0})
    assert later["since"] == 5.0
    assert with_start({"stage": "final", "done": 1}, later)["since"] > 5.0
    assert with_start({"stage": "search", "done": 0}, later)["since"] > 5.0
    assert with_start({"note": "waiting"}, {})["since"] > 5.0
