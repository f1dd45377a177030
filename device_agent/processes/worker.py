"""The measuring child: `python -m device_agent.processes.worker`.

One JSON job on the first line of standard input, one JSON answer on standard output:
`{"result": {...}}`, or `{"error": "input" | "disk" | "failure", "detail": "..."}`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from device_agent.models.files import is_disk_full
from device_agent.processes.confinement import Confinement
from device_agent.processes.lifeline import exit_when_stdin_closes
from device_agent.processes.tasks import perform_task
from quant.errors import HaqError, InputError


def main() -> None:
    """Wait for the job, do it, answer; leave if the parent goes before it gave one."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    exit_when_stdin_closes()
    out = os.dup(1)
    os.dup2(2, 1)  # what native code prints must not mix with the answer
    answer = json.dumps(perform(json.loads(line)))
    with os.fdopen(out, "w") as file:
        file.write(answer)


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """The answer to a job; failures are answers too."""
    try:
        Confinement(**job["limits"]).apply()
        data_dir, arguments = Path(job.get("data_dir", "")), job.get("arguments", {})
        return {"result": perform_task(job["task"], data_dir, arguments)}
    except InputError as error:
        return {"error": "input", "detail": str(error)}
    except HaqError as error:
        return {"error": "failure", "detail": str(error)}
    except Exception as error:
        # Whatever goes wrong with a foreign network must reach the client as a cause.
        kind = "disk" if is_disk_full(error) else "failure"
        return {"error": kind, "detail": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
