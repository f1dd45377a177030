from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from device_agent.models.files import DiskFullError
from device_agent.processes.jobs import WORKER, JobError, Jobs, JobTimeoutError, StoppingError
from quant.errors import InputError
from tests.device_agent.process_table import children, cpu_ticks, is_running, wait_for

DESCRIBE = {"task": "describe"}
SLEEP = ("sleep", "60")
Make = Callable[..., Jobs]


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = []

    def make(command: Sequence[str] = WORKER, timeout_s: float = 30.0) -> Jobs:
        jobs = Jobs(timeout_s, 2**32, 2**20, tmp_path / "jobs", command)
        jobs.prepare()
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        jobs.close()
    assert not list(tmp_path.glob("jobs/job-*"))


def new_children(before: list[int]) -> set[int]:
    return set(children()) - set(before)


def in_background(jobs: Jobs) -> Future[dict[str, Any]]:
    return ThreadPoolExecutor(1).submit(jobs.run, DESCRIBE)


def test_the_worker_answers_and_the_next_one_waits(make: Make) -> None:
    before, jobs = children(), make()
    for _ in range(2):
        assert jobs.run(DESCRIBE)["cores"] == os.cpu_count()
        assert len(new_children(before)) == 1
    assert jobs.run_beside(DESCRIBE)["cores"] == os.cpu_count()
    assert len(new_children(before)) == 1
    jobs.close()
    assert children() == before


def test_the_waiting_worker_takes_no_time_and_holds_no_files_of_a_job(make: Make) -> None:
    before, jobs = children(), make()
    jobs.run(DESCRIBE)
    (spare,) = new_children(before)
    wait_for(lambda: is_idle(spare))
    ticks = cpu_ticks(spare)
    time.sleep(0.5)
    assert cpu_ticks(spare) == ticks
    files = [str(link.readlink()) for link in Path(f"/proc/{spare}/fd").iterdir()]
    assert {Path(name).name for name in files if "jobs/job-" in name} == {"answer", "log"}


def is_idle(pid: int) -> bool:
    """Whether a process has done its imports, as far as its use of the processor tells."""
    ticks = cpu_ticks(pid)
    time.sleep(0.3)
    return ticks > 0 and cpu_ticks(pid) == ticks


def test_the_waiting_worker_does_the_next_job(make: Make) -> None:
    jobs = make(python('import os; input(); print(\'{"result": {"pid": %d}}\' % os.getpid())'))
    before = children()
    jobs.run(DESCRIBE)
    (spare,) = new_children(before)
    assert jobs.run(DESCRIBE) == {"pid": spare}


def test_a_waiting_worker_that_died_is_replaced(make: Make) -> None:
    before, jobs = children(), make()
    jobs.run(DESCRIBE)
    (spare,) = new_children(before)
    os.kill(spare, signal.SIGKILL)
    wait_for(lambda: not is_running(spare))
    assert jobs.run(DESCRIBE)["cores"] == os.cpu_count()


def test_no_worker_is_started_during_a_job_that_measures(make: Make) -> None:
    before, jobs = children(), make(SLEEP)
    running = in_background(jobs)
    wait_for(lambda: new_children(before))
    jobs.command = WORKER
    jobs.run_beside(DESCRIBE)
    assert len(new_children(before)) == 1
    jobs.close()
    assert isinstance(running.exception(10), StoppingError)


def test_a_killed_child_is_an_error_and_the_next_job_runs(make: Make) -> None:
    before, jobs = children(), make(SLEEP)
    running = in_background(jobs)
    wait_for(lambda: new_children(before))
    jobs.command = WORKER
    (child,) = new_children(before)
    os.kill(child, signal.SIGSEGV)
    assert str(running.exception(10)) == "the measuring process died of SIGSEGV"
    assert jobs.run(DESCRIBE)["cores"] == os.cpu_count()


def test_a_job_that_takes_too_long_is_killed(make: Make) -> None:
    with pytest.raises(JobTimeoutError, match=r"longer than 0\.5 s"):
        make(SLEEP, 0.5).run(DESCRIBE)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('out of luck')", "ended with status 1: out of luck"),
        ("print('not json')", "ended with status 0"),
        ("print('[]')", "ended with status 0"),
        ("print('{}')", "ended with status 0"),
        ("print('[' * 100_000)", "ended with status 0"),
        ("""print('{"error": "failure", "detail": "ncnn said no"}')""", "ncnn said no"),
    ],
)
def test_every_other_end_is_an_error_with_its_cause(make: Make, code: str, message: str) -> None:
    with pytest.raises(JobError, match=message):
        make(python(code)).run(DESCRIBE)


def test_impossible_jobs_are_the_fault_of_the_request(make: Make, tmp_path: Path) -> None:
    arguments = {"network": "0" * 64}
    job = {"task": "measure", "data_dir": str(tmp_path), "arguments": arguments}
    with pytest.raises(InputError, match="no network"):
        make().run(job)


def test_a_full_disk_is_told_apart(make: Make) -> None:
    code = 'print(\'{"error": "disk", "detail": "OSError: no space"}\')'
    with pytest.raises(DiskFullError, match="no space"):
        make(python(code)).run(DESCRIBE)


def test_jobs_run_one_after_the_other_or_beside_each_other(make: Make, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import json, time, pathlib; input(); start = time.time(); time.sleep(0.3);"
        f"pathlib.Path({str(log)!r}).open('a').write(json.dumps([start, time.time()]) + '\\n');"
        "print(json.dumps({'result': {}}))"
    )
    jobs = make(python(code))
    for run, are_apart in ((jobs.run, True), (jobs.run_beside, False)):
        threads = [Thread(target=run, args=(DESCRIBE,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spans = sorted(json.loads(line) for line in log.read_text().splitlines())
        assert len(spans) == 3
        assert all(first[1] <= second[0] for first, second in pairwise(spans)) == are_apart
        log.unlink()


def test_closing_ends_the_running_job_the_waiting_ones_and_all_to_come(make: Make) -> None:
    before, jobs = children(), make(SLEEP)
    running = [in_background(jobs) for _ in range(3)]
    wait_for(lambda: new_children(before))
    jobs.close()
    assert [type(job.exception(10)) for job in running] == [StoppingError] * 3
    for run in (jobs.run, jobs.run_beside):
        with pytest.raises(StoppingError):
            run(DESCRIBE)
    assert children() == before


def test_a_next_worker_that_cannot_be_started_spoils_no_answer(make: Make) -> None:
    before = children()
    code = "import json, time; input(); time.sleep(0.5); print(json.dumps({'result': {}}))"
    jobs = make(python(code))
    running = in_background(jobs)
    wait_for(lambda: new_children(before))
    jobs.command = ("/no/such/program",)
    assert running.result(10) == {}
    assert children() == before


def test_folders_of_a_killed_agent_go_at_the_next_start(make: Make, tmp_path: Path) -> None:
    leftover = tmp_path / "jobs" / "job-abc" / "deeper"
    leftover.mkdir(parents=True)
    (leftover / "net.bin").write_bytes(b"weights")
    make()
    assert list((tmp_path / "jobs").iterdir()) == []
