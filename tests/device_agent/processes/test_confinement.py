from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict

import pytest

from device_agent.processes.confinement import OPEN_FILES, Confinement

ROOMY = Confinement(memory_bytes=2**32, file_bytes=2**20, cpu_s=60)
TIGHT_CPU = Confinement(memory_bytes=2**32, file_bytes=2**20, cpu_s=1)


def run(confinement: Confinement, code: str) -> subprocess.CompletedProcess[str]:
    text = (
        "import json, os, resource, tempfile\n"
        "from device_agent.processes.confinement import Confinement\n"
        f"Confinement(**json.loads({json.dumps(asdict(confinement))!r})).apply()\n{code}"
    )
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bytearray(2**32)", "MemoryError"),
        ("f = tempfile.TemporaryFile(); f.write(bytes(2**20 + 1)); f.flush()", "File too large"),
        (f"[os.open('/dev/null', 0) for _ in range({OPEN_FILES})]", "Too many open files"),
    ],
)
def test_more_than_allowed_is_an_error(code: str, error: str) -> None:
    done = run(ROOMY, code)
    assert done.returncode == 1
    assert error in done.stderr


def test_up_to_the_limit_all_is_well() -> None:
    done = run(ROOMY, "bytearray(2**28); tempfile.TemporaryFile().write(bytes(2**20))")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_loop_without_end_is_ended() -> None:
    assert run(TIGHT_CPU, "while True: pass").returncode == -signal.SIGXCPU


def test_who_ignores_the_first_signal_is_killed() -> None:
    code = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nprint(LIMIT)"
    done = run(TIGHT_CPU, code.replace("LIMIT", "resource.getrlimit(resource.RLIMIT_CPU)"))
    assert done.stdout.strip() == "(1, 6)"


def test_there_is_no_core_dump() -> None:
    done = run(ROOMY, "print(resource.getrlimit(resource.RLIMIT_CORE))")
    assert done.stdout.strip() == "(0, 0)"


def test_limits_that_are_lower_already_stay() -> None:
    code = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        f"Confinement(**{asdict(ROOMY)}).apply()\n"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE))"
    )
    assert run(ROOMY, code).stdout.strip() == "(100, 100)"
