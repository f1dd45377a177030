"""A worker: takes a search, has a child carry it out, and keeps its lease meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from api.jobs import Job, Jobs
from api.jobs.job import Wanted
from api.jobs.jobs import LeaseLostError
from api.settings import Settings
from api.workers.errand import Errand, asked_from
from api.workers.process import Process
from device_agent.web.logs import log
from quant.errors import StorageError

POLL_S = 0.5
CRASHES = 5
"""A search whose process ends so often without a word has failed."""
CRASHED = "its process ended"


class Worker:
    """Carries out one search at a time until it is told to stop."""

    def __init__(self, jobs: Jobs, settings: Settings, stop: threading.Event) -> None:
        self._jobs, self._settings, self._stop = jobs, settings, stop
        self.name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Take searches as they come."""
        while not self._stop.is_set():
            job = self._when_stored(lambda: self._jobs.claim(self.name, self._settings.lease_s))
            if job is None:
                self._stop.wait(POLL_S)
            else:
                self.carry_out(job)

    def carry_out(self, job: Job) -> None:
        """To its end, or until it is to stop, or another worker has it."""
        log.info("search begins", search=job.id, token=job.token)
        try:
            self._see_through(job)
        except LeaseLostError:
            log.warning("search lost to another worker", search=job.id)

    def _see_through(self, job: Job) -> None:
        try:
            process = self._start(job)
        except OSError as error:  # no room on the disk, or no more processes
            self._again(job, f"{CRASHED}: {error}")
            return
        self._conclude(job, process, self._attend(job, process))

    def _start(self, job: Job) -> Process:
        errand = Errand(job.id, asked_from(job.spec["asked"]), tuple(job.spec["boards"]))
        folder = self._settings.data_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return Process(errand, self._settings.to_environ(), folder / f"{job.id}.log")

    def _attend(self, job: Job, process: Process) -> Wanted | None:
        """Until it is over: None, or what is wanted of it instead. Raises LeaseLostError."""
        while not process.is_over(POLL_S):
            try:
                wanted = self._jobs.beat(job, process.progress, self._settings.lease_s)
            except LeaseLostError:
                process.kill()
                raise
            except StorageError as error:
                # Without its lease kept another worker takes it, and this one hears of that.
                log.error("lease not kept", search=job.id, reason=str(error))
                continue
            if wanted != "run" or self._stop.is_set():
                process.kill()
                return wanted
        return None

    def _conclude(self, job: Job, process: Process, wanted: Wanted | None) -> None:
        ended = process.ended
        # Ctrl-C on a terminal ends the worker and the process: that is nothing against the search.
        if ended is None and (wanted is not None or self._stop.is_set()):
            self._when_stored(lambda: self._jobs.stop(job))
        elif ended is None:
            self._again(job, f"{CRASHED} with {process.exit_code}")
        elif ended["ended"] == "again":
            self._again(job, f"{CRASHED}: {ended['error']}")
        else:
            self._when_stored(lambda: self._jobs.end(job, ended["error"]))
        log.info("search left", search=job.id, ended=ended)

    def _again(self, job: Job, note: str) -> None:
        """Back to the queue, or failed where that has not helped."""
        crashes = sum(str(event["note"]).startswith(CRASHED) for event in job.history)
        if crashes < CRASHES:
            # Not longer than its lease lasts, or nobody would count how often it has ended.
            self._stop.wait(min(POLL_S * 2**crashes, self._settings.lease_s / 2))
            self._when_stored(lambda: self._jobs.stop(job, note))
        else:
            self._when_stored(lambda: self._jobs.end(job, note))

    def _when_stored(self, change: Callable[[], Job | None]) -> Job | None:
        """What a change gives, as soon as the store takes it."""
        while True:
            try:
                return change()
            except StorageError as error:
                log.error("the store is not to be had", reason=str(error))
                if self._stop.wait(POLL_S):
                    return None
