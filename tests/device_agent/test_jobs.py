from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from device_agent.jobs import WORKER, JobError, Jobs, JobTimeoutError, child_env
from quant.errors import InputError

DESCRIBE = {"task": "describe", "memory_bytes": 2**32}
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def children() -> list[int]:
    """Processes that this one started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_worker_answers_and_leaves_nothing_behind() -> None:
    before = children()
    answer = Jobs(30).run(DESCRIBE)
    assert answer["cores"] == os.cpu_count()
    assert children() == before


def test_a_killed_child_is_an_error_and_the_next_job_runs() -> None:
    before, errors = children(), []
    jobs = Jobs(30, SLEEP)

    def run() -> None:
        try:
            jobs.run(DESCRIBE)
        except JobError as error:
            errors.append(str(error))

    thread = Thread(target=run)
    thread.start()
    wait_for(lambda: set(children()) - set(before))
    (child,) = set(children()) - set(before)
    os.kill(child, signal.SIGSEGV)
    thread.join()
    assert errors == ["the measuring process died of SIGSEGV"]
    jobs.command = WORKER
    assert jobs.run(DESCRIBE)["cores"] == os.cpu_count()


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_job_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import pathlib, subprocess; p = subprocess.Popen(['sleep', '60']);"
        f"pathlib.Path({str(note)!r}).write_text(str(p.pid)); p.wait()"
    )
    before = children()
    with pytest.raises(JobTimeoutError, match=r"longer than 1 s"):
        Jobs(1.0, python(code)).run(DESCRIBE)
    assert children() == before
    wait_for(lambda: not is_running(int(note.read_text())))


def test_a_child_that_never_reads_its_job_is_killed_too() -> None:
    with pytest.raises(JobTimeoutError):
        Jobs(0.5, SLEEP).run({"filler": "x" * 1_000_000})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('out of luck')", "ended with status 1: out of luck"),
        ("print('not json')", "ended with status 0"),
        ("print('[]')", "ended with status 0"),
        ("print('{}')", "ended with status 0"),
        ("""print('{"error": "failure", "detail": "ncnn said no"}')""", "ncnn said no"),
    ],
)
def test_every_other_end_is_an_error_with_its_cause(code: str, message: str) -> None:
    with pytest.raises(JobError, match=message):
        Jobs(30, python(code)).run(DESCRIBE)


def test_impossible_jobs_are_the_fault_of_the_request() -> None:
    job = {**DESCRIBE, "task": "measure", "arguments": {"network": "0" * 64}}
    with pytest.raises(InputError, match="no network"):
        Jobs(30).run(job)


def test_jobs_run_one_after_the_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import json, time, pathlib; start = time.time(); time.sleep(0.2);"
        f"pathlib.Path({str(log)!r}).open('a').write(json.dumps([start, time.time()]) + '\\n');"
        "print(json.dumps({'result': {}}))"
    )
    jobs = Jobs(30, python(code))
    threads = [Thread(target=jobs.run, args=(DESCRIBE,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sorted(json.loads(line) for line in log.read_text().splitlines())
    assert len(spans) == 3
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_the_worker_ends_when_its_parent_closes_the_pipe() -> None:
    job = {**DESCRIBE, "task": "sleep"}
    code = "import device_agent.worker as w, time;w.perform = lambda job: time.sleep(60);w.main()"
    process = subprocess.Popen(python(code), stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()
    time.sleep(1.0)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == 1


def test_the_key_is_not_passed_to_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAQ_AGENT_KEY", "secret")
    assert "secret" not in child_env().values()
