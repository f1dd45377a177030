"""The measuring child: `python -m device_agent.worker`.

One JSON job on the first line of standard input, one JSON answer on standard output:
`{"result": {...}}`, or `{"error": "input" | "failure", "detail": "..."}`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from device_agent.device import describe
from device_agent.lifeline import exit_when_stdin_closes
from device_agent.measure import measure
from device_agent.networks import Networks
from device_agent.profile import profile
from quant.errors import HaqError, InputError


def main() -> None:
    """Read the job, do it, answer."""
    line = sys.stdin.buffer.readline()
    exit_when_stdin_closes()
    out = os.dup(1)
    os.dup2(2, 1)  # what native code prints must not mix with the answer
    answer = json.dumps(perform(json.loads(line)))
    with os.fdopen(out, "w") as file:
        file.write(answer)


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """The answer to a job; failures are answers too."""
    try:
        limit_memory(job["memory_bytes"])
        return {"result": result(job["task"], job.get("data_dir", ""), job.get("arguments", {}))}
    except InputError as error:
        return {"error": "input", "detail": str(error)}
    except HaqError as error:
        return {"error": "failure", "detail": str(error)}
    except Exception as error:
        # Whatever goes wrong with a foreign network must reach the client as a cause.
        return {"error": "failure", "detail": f"{type(error).__name__}: {error}"}


def limit_memory(limit_bytes: int) -> None:
    """Let allocations beyond the limit fail in this process."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def result(task: str, data_dir: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one task: describe, measure or profile."""
    if task == "describe":
        return describe()
    network = Networks(Path(data_dir)).load(arguments.pop("network"))
    if task == "measure":
        return measure(network, **arguments)
    return profile(network, **arguments)


if __name__ == "__main__":
    main()
