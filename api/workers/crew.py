"""Worker processes beside the service: started with it, started again where one ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

from api.settings import Settings
from device_agent.web.logs import log

WORKER = (sys.executable, "-m", "api.workers.tied")
CHECK_S = 1.0
END_S = 10.0


class Crew:
    """So many workers; each ends with the service, even if that is killed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Start all."""
        self._workers = [self._start_one() for _ in range(self._settings.workers)]
        self._thread.start()

    def close(self) -> None:
        """Have all put their searches back into the queue, and end."""
        self._stop.set()
        self._thread.join()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(END_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def pids(self) -> list[int]:
        """Of the workers, as they are now."""
        return [worker.pid for worker in self._workers]

    def _start_one(self) -> subprocess.Popen[bytes]:
        environ = {**os.environ, **self._settings.to_environ()}
        return subprocess.Popen(WORKER, stdin=subprocess.PIPE, env=environ)

    def _watch(self) -> None:
        while not self._stop.wait(CHECK_S):
            for index, worker in enumerate(self._workers):
                if worker.poll() is not None:
                    log.warning("a worker ended, another one starts", code=worker.returncode)
                    with suppress(OSError):  # no more processes, for now
                        self._workers[index] = self._start_one()
