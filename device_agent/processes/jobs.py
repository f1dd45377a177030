"""Jobs in child processes: ncnn may crash, hang or eat memory without harm to the service."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device_agent.models.files import DiskFullError
from device_agent.processes.child import FOLDER_PREFIX, Child, Outcome
from device_agent.processes.confinement import Confinement
from quant.errors import BoardError, InputError

WORKER = (sys.executable, "-m", "device_agent.processes.worker")
LOG_LINES = 3


class JobError(BoardError):
    """The measuring process died or could not do its work."""


class JobTimeoutError(JobError):
    """The measuring process took too long and was killed."""


class StoppingError(BoardError):
    """The agent is about to end and takes no more jobs."""


class Jobs:
    """Runs jobs, each in a process of its own, whose start-up is done ahead.

    After a job the next process is started and waits, since to load Python and ncnn takes longer
    than many a job. That never happens during a job that has the machine for itself.
    """

    def __init__(
        self,
        timeout_s: float,
        memory_bytes: int,
        file_bytes: int,
        scratch: Path,
        command: Sequence[str] = WORKER,
    ) -> None:
        """`scratch` is the folder below which every process gets one of its own."""
        self.timeout_s = timeout_s
        self.scratch = scratch
        self.command = command
        cpu_s = math.ceil(timeout_s * (os.cpu_count() or 1)) + 1
        self._limits = asdict(Confinement(memory_bytes, file_bytes, cpu_s))
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._spare: Child | None = None
        self._is_closed = False

    def prepare(self) -> None:
        """Make the folder of the processes' folders; remove what a killed agent left there."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        for leftover in self.scratch.glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Answer of a job that needs the machine for itself; others wait for their turn.

        Raises InputError where the job asks for something impossible, JobError where it failed,
        DiskFullError, and StoppingError after `close`.
        """
        with self._turn:
            try:
                return self._perform(job)
            finally:
                self._start_spare()

    def run_beside(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The same without waiting for other jobs: for those that measure nothing."""
        try:
            return self._perform(job)
        finally:
            if self._turn.acquire(blocking=False):
                try:
                    self._start_spare()
                finally:
                    self._turn.release()

    def close(self) -> None:
        """Kill all processes; jobs that run, wait or come from now on fail with StoppingError."""
        with self._lock:
            self._is_closed = True
            for child in self._running:
                child.kill()
            spare, self._spare = self._spare, None
        if spare:
            spare.close()

    def _perform(self, job: Mapping[str, Any]) -> dict[str, Any]:
        line = json.dumps({"limits": self._limits, **job}).encode() + b"\n"
        child = self._take_child()
        try:
            outcome = child.run(line, self.timeout_s)
        finally:
            with self._lock:
                self._running.discard(child)
            child.close()
        self._require_open()
        if outcome.is_late:
            raise JobTimeoutError(f"the job took longer than {self.timeout_s:g} s and was stopped")
        return read_answer(outcome)

    def _take_child(self) -> Child:
        """The spare process, or one started now if there is none or it died."""
        with self._lock:
            self._require_open()
            spare, self._spare = self._spare, None
            if spare and not spare.is_alive:
                spare.close()
                spare = None
            child = spare or Child(self.command, self.scratch)
            self._running.add(child)
            return child

    def _start_spare(self) -> None:
        """Start the next process; without room for it now, the next job has to."""
        with self._lock, suppress(OSError):
            if self._spare is None and not self._is_closed:
                self._spare = Child(self.command, self.scratch)

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoppingError("the agent is stopping: try again when it is back")


def read_answer(outcome: Outcome) -> dict[str, Any]:
    """Result in the child's answer, or the error that it stands for."""
    log = last_lines(outcome.log)
    if outcome.status < 0:
        name = signal.Signals(-outcome.status).name
        raise JobError(f"the measuring process died of {name}{log}")
    try:
        answer = json.loads(outcome.answer)
        if "result" in answer:
            return dict(answer["result"])
        kind, detail = answer["error"], answer["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise JobError(f"the measuring process ended with status {outcome.status}{log}") from None
    raise {"input": InputError, "disk": DiskFullError}.get(kind, JobError)(detail)


def last_lines(log: bytes) -> str:
    """Last words of a log for the end of a message, or nothing."""
    lines = log.decode(errors="replace").strip().splitlines()[-LOG_LINES:]
    return ": " + " | ".join(line.strip()[:200] for line in lines) if lines else ""
