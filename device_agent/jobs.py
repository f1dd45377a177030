"""Jobs in a child process: ncnn may crash, hang or eat memory without harm to the service."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import IO, Any

from quant.errors import BoardError, InputError

WORKER = (sys.executable, "-m", "device_agent.worker")
LOG_LINES = 3
# On small pages the place that a network happens to get in memory moves its latency by several
# percent for as long as it lives, and the networks loaded first come off worst: no number of rounds
# averages that out. On huge pages equal networks mostly agree to 1 %, though 2 % were seen. Only
# glibc reads this.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class JobError(BoardError):
    """The measuring process died or could not do its work."""


class JobTimeoutError(JobError):
    """The measuring process took too long and was killed."""


class Jobs:
    """Runs one measuring job at a time; others wait for their turn."""

    def __init__(self, timeout_s: float, command: Sequence[str] = WORKER) -> None:
        self.timeout_s = timeout_s
        self.command = command
        self._turn = threading.Lock()

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Answer of a job that needs the machine for itself.

        Raises InputError where the job asks for something impossible, JobError where it failed.
        """
        with self._turn:
            return self.run_beside(job)

    def run_beside(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The same without waiting for other jobs: for short ones that measure nothing."""
        return run_child(self.command, job, self.timeout_s)


def run_child(command: Sequence[str], job: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Start a child, hand it the job as one line of JSON, and read its answer."""
    # Files rather than pipes take the output: nothing has to be read while waiting, and standard
    # input stays open as the child's sign that its parent lives.
    with TemporaryFile() as out, TemporaryFile() as log:
        process = Popen(
            command, stdin=PIPE, stdout=out, stderr=log, start_new_session=True, env=child_env()
        )
        late = wait_or_kill(process, json.dumps(job).encode() + b"\n", timeout_s)
        if late:
            raise JobTimeoutError(f"the job took longer than {timeout_s:g} s and was stopped")
        return read_answer(process.returncode, read_all(out), last_lines(read_all(log)))


def child_env() -> dict[str, str]:
    """The agent's environment without its key, and with huge pages unless it says otherwise."""
    return {**HUGE_PAGES, **{k: v for k, v in os.environ.items() if k.upper() != "HAQ_AGENT_KEY"}}


def wait_or_kill(process: Popen[bytes], line: bytes, timeout_s: float) -> bool:
    """Feed the child and wait for its end; True if it had to be killed for its time."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        kill_group(process)

    timer = threading.Timer(timeout_s, expire)
    timer.start()
    try:
        feed(process, line)
        process.wait()
    finally:
        timer.cancel()
        kill_group(process)
        close_input(process)
    return expired.is_set() and process.returncode != 0


def feed(process: Popen[bytes], line: bytes) -> None:
    """Write the job; a child that is already dead shows in its exit status."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(line)
        process.stdin.flush()


def close_input(process: Popen[bytes]) -> None:
    """Close our end of the pipe; bytes that a dead child never read do not matter."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def kill_group(process: Popen[bytes]) -> None:
    """Kill the child and all that it started, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_answer(status: int, text: bytes, log: str) -> dict[str, Any]:
    """Result in the child's answer, or the error that it stands for."""
    if status < 0:
        name = signal.Signals(-status).name
        raise JobError(f"the measuring process died of {name}{log}")
    try:
        answer = json.loads(text)
        if "result" in answer:
            return dict(answer["result"])
        kind, detail = answer["error"], answer["detail"]
    except (ValueError, KeyError, TypeError):
        raise JobError(f"the measuring process ended with status {status}{log}") from None
    raise (InputError if kind == "input" else JobError)(detail)


def read_all(file: IO[bytes]) -> bytes:
    """Everything written to a temporary file."""
    file.seek(0)
    return file.read()


def last_lines(log: bytes) -> str:
    """Last words of a log for the end of a message, or nothing."""
    lines = log.decode(errors="replace").strip().splitlines()[-LOG_LINES:]
    return ": " + " | ".join(line.strip()[:200] for line in lines) if lines else ""
