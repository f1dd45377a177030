"""A child process for one job: its start, its wait for the job, its end."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import mkdtemp

FOLDER_PREFIX = "job-"
# On small pages the place that a network happens to get in memory moves its latency by several
# percent for as long as it lives, and the networks loaded first come off worst: no number of rounds
# averages that out. On huge pages equal networks mostly agree to 1 %, though 2 % were seen. Only
# glibc reads this.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# All else stays with the agent: its key, and the secrets that other programs keep in variables.
PASSED_ON = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "GLIBC_TUNABLES"}
)
PASSED_ON_PREFIXES = ("LC_", "PYTHON", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MALLOC_")


@dataclass(frozen=True)
class Outcome:
    """How a child ended: exit status, what it wrote, and whether its time was over."""

    status: int
    answer: bytes
    log: bytes
    is_late: bool


class Child:
    """A process in a session and a folder of its own. It waits, idle, until `run` gives it a job.

    Its standard input stays open as the sign that its parent lives. Files rather than pipes take
    what it writes, so that nothing has to be read while waiting.
    """

    def __init__(self, command: Sequence[str], scratch: Path) -> None:
        """Start the process; its folder is made below `scratch`."""
        self._folder = Path(mkdtemp(dir=scratch, prefix=FOLDER_PREFIX))
        self._expired = threading.Event()
        self._lock = threading.Lock()
        try:
            self._process = self._start(command)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, command: Sequence[str]) -> Popen[bytes]:
        env = child_env(os.environ, str(self._folder))
        with self._answer.open("wb") as answer, self._log.open("wb") as log:
            return Popen(
                command, stdin=PIPE, stdout=answer, stderr=log, start_new_session=True, env=env
            )

    @property
    def _answer(self) -> Path:
        return self._folder / "answer"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        with self._lock:
            return self._process.poll() is None

    def run(self, line: bytes, timeout_s: float) -> Outcome:
        """Hand over the job and wait for the end of the process."""
        timer = threading.Timer(timeout_s, self._expire)
        timer.start()
        try:
            self._feed(line)
            # Not reaped yet, its number stays its own until the whole group was killed.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            timer.cancel()
            self._reap()
        late = self._expired.is_set() and self._process.returncode != 0
        answer, log = self._answer.read_bytes(), self._log.read_bytes()
        return Outcome(self._process.returncode, answer, log, late)

    def kill(self) -> None:
        """Kill the process and all that it started; `run` then returns."""
        with self._lock:
            self._kill_group()

    def close(self) -> None:
        """End the process if it has not ended, and remove all that it leaves."""
        self._reap()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # bytes that a dead child never read do not matter
            self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _feed(self, line: bytes) -> None:
        """Write the job; a child that is already dead shows in its exit status."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _expire(self) -> None:
        self._expired.set()
        self.kill()

    def _reap(self) -> None:
        with self._lock:
            self._kill_group()
            self._process.wait()

    def _kill_group(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def child_env(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """What a child needs of the environment, its own folder for temporary files, and huge pages
    unless the environment says otherwise."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    return {**HUGE_PAGES, **kept, "TMPDIR": folder}
