from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from device_agent.processes.child import Child, child_env
from tests.device_agent.process_table import children, is_running, wait_for

ECHO = "import sys; print(sys.stdin.readline(), end='')"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    before = children()
    yield
    assert children() == before
    assert not list(tmp_path.glob("job-*"))


def test_the_job_goes_in_and_the_answer_comes_out(tmp_path: Path) -> None:
    child = Child(python(f"{ECHO}; print('note', file=sys.stderr); sys.exit(3)"), tmp_path)
    outcome = child.run(b"hello\n", 30)
    child.close()
    assert (outcome.status, outcome.answer, outcome.log) == (3, b"hello\n", b"note\n")
    assert not outcome.is_late


def test_an_idle_child_is_closed_with_its_folder(tmp_path: Path) -> None:
    child = Child(python(ECHO), tmp_path)
    assert child.is_alive
    assert len(list(tmp_path.glob("job-*"))) == 1
    child.close()
    assert not child.is_alive


def test_temporary_files_are_the_childs_own_and_go_with_it(tmp_path: Path) -> None:
    code = "import tempfile; print(tempfile.mkdtemp()); open(tempfile.mkstemp()[1], 'w').write('x')"
    child = Child(python(code), tmp_path)
    made = Path(child.run(b"\n", 30).answer.decode().strip())
    assert made.is_dir()
    assert made.parent.parent == tmp_path
    child.close()
    assert not made.exists()


def test_a_late_child_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import pathlib, subprocess; p = subprocess.Popen(['sleep', '60']);"
        f"pathlib.Path({str(note)!r}).write_text(str(p.pid)); p.wait()"
    )
    child = Child(python(code), tmp_path)
    outcome = child.run(b"\n", 1.0)
    child.close()
    assert outcome.is_late
    assert outcome.status == -signal.SIGKILL
    wait_for(lambda: not is_running(int(note.read_text())))


def test_what_a_child_leaves_running_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    child = Child(python(code), tmp_path)
    outcome = child.run(b"\n", 30)
    child.close()
    assert outcome.status == 0
    wait_for(lambda: not is_running(int(outcome.answer)))


def test_a_child_that_never_reads_its_job_is_late_too(tmp_path: Path) -> None:
    child = Child(("sleep", "60"), tmp_path)
    assert child.run(b"x" * 1_000_000, 0.5).is_late
    child.close()


def test_a_child_that_is_killed_from_elsewhere_ends_the_wait(tmp_path: Path) -> None:
    child = Child(("sleep", "60"), tmp_path)
    statuses: list[int] = []
    thread = Thread(target=lambda: statuses.append(child.run(b"\n", 60).status))
    thread.start()
    child.kill()
    thread.join(10)
    child.close()
    assert statuses == [-signal.SIGKILL]


def test_a_program_that_does_not_exist_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Child(("/no/such/program",), tmp_path)


def test_a_child_gets_no_secret() -> None:
    secret = {
        **{"HAQ_AGENT_KEY": "s", "haq_agent_key": "s", "HAQ_AGENT_KEYS_FILE": "s"},
        **{"AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "s", "DATABASE_URL": "s"},
    }
    needed = {"PATH": "/bin", "PYTHONPATH": "/here", "OMP_NUM_THREADS": "1", "LC_ALL": "C"}
    found = child_env({**secret, **needed, "TMPDIR": "/tmp"}, "/own")
    tunables = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    assert found == {**needed, **tunables, "TMPDIR": "/own"}
    assert child_env({"GLIBC_TUNABLES": "x"}, "/own")["GLIBC_TUNABLES"] == "x"


def test_the_running_child_sees_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAQ_AGENT_KEY", "secret")
    assert "HAQ_AGENT_KEY" in os.environ
    child = Child(python("import os; print(sorted(os.environ.values()))"), tmp_path)
    assert b"secret" not in child.run(b"\n", 30).answer
    child.close()
