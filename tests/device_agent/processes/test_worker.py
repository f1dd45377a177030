from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from device_agent.processes.worker import perform

LIMITS = {"memory_bytes": 2**32, "file_bytes": 2**20, "cpu_s": 60}


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", f"import device_agent.processes.worker as w; {code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def answer(code: str, job: object) -> dict[str, Any]:
    with start(code) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        return dict(json.loads(process.stdout.read()))


def test_the_worker_ends_when_its_parent_closes_the_pipe() -> None:
    process = start("import time; w.perform = lambda job: time.sleep(60); w.main()")
    assert process.stdin is not None
    process.stdin.write(b"{}\n")
    process.stdin.flush()
    time.sleep(1.0)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == 1


def test_a_worker_that_never_got_a_job_ends_in_silence() -> None:
    process = start("w.main()")
    out, _ = process.communicate(b"")
    assert (process.returncode, out) == (0, b"")


def test_what_native_code_prints_does_not_mix_with_the_answer() -> None:
    code = "import os; w.perform = lambda job: os.write(1, b'noise') and {'result': {}}; w.main()"
    assert answer(code, {}) == {"result": {}}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("w.InputError('no')", "input"),
        ("w.HaqError('no')", "failure"),
        ("MemoryError('no')", "failure"),
        ("OSError(28, 'no')", "disk"),
        ("OSError(27, 'no')", "disk"),
        ("OSError(5, 'no')", "failure"),
    ],
)
def test_failures_are_answers(error: str, kind: str) -> None:
    code = f"w.perform_task = lambda *_: (_ for _ in ()).throw({error}); w.main()"
    found = answer(code, {"task": "x", "limits": LIMITS})
    assert found["error"] == kind
    assert "no" in found["detail"]


def test_jobs_without_limits_are_not_done() -> None:
    assert perform({"task": "describe"})["error"] == "failure"


def test_the_limits_hold_while_the_job_runs() -> None:
    code = (
        "import resource;"
        "w.perform_task = lambda *_: {'limit': resource.getrlimit(resource.RLIMIT_FSIZE)};"
        "w.main()"
    )
    found = answer(code, {"task": "x", "limits": LIMITS})
    assert found == {"result": {"limit": [2**20, 2**20]}}
