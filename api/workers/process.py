"""One child process at its search, as its worker sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from api.workers.errand import Errand
from haq.threads import THREADS

CHILD = (sys.executable, "-m", "api.workers.child")


class Process:
    """Starts a child; reads what it says."""

    def __init__(self, errand: Errand, environ: Mapping[str, str], log: Path) -> None:
        """`log` gets what it writes to standard error."""
        self.progress: dict[str, Any] = {}
        self.ended: dict[str, Any] | None = None
        with log.open("ab") as stream:
            self._child = subprocess.Popen(
                CHILD,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**THREADS, **os.environ, **environ},
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, which is seen below
            self._child.stdin.write(errand.to_line())
            self._child.stdin.flush()

    def is_over(self, timeout_s: float) -> bool:
        """Wait a while; whether it has ended and all that it said was heard."""
        self._listener.join(timeout_s)
        return not self._listener.is_alive()

    def kill(self) -> None:
        """End it at once, wherever it is: it loses nothing that its store had."""
        self._child.kill()
        self._child.wait()
        self._listener.join()

    @property
    def exit_code(self) -> int:
        """Of a child that is over; negative for a signal."""
        return self._child.wait()

    def _listen(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            try:
                said = json.loads(line)
            except ValueError:  # the last line of a child that was killed
                continue
            if "ended" in said:
                self.ended = said
            else:
                self.progress = with_start(said, self.progress)


def with_start(said: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, with the time at which its stage began."""
    same = said.get("stage") == before.get("stage") and said.get("done", 0) > 0
    return {**said, "since": before["since"] if same and "since" in before else time.time()}
