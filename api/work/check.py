"""Whether weights can be what they were declared to be.

`python -m api.work.check` does it in a process of its own, so that the service need not load torch,
and nothing that is uploaded is read by the process that has the keys.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from quant.errors import HaqError, ModelError

TIMEOUT_S = 120.0
SECRETS = ("HAQ_SERVICE_", "HAQ_BOARD_KEY_")


def check_weights(path: Path, architecture: str, input_size: int, padding: str) -> None:
    """Raise ModelError where they cannot be."""
    asked = {"path": str(path), "model": architecture, "size": input_size, "padding": padding}
    try:
        done = subprocess.run(
            (sys.executable, "-m", "api.work.check", json.dumps(asked)),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env=without_secrets(os.environ),
        )
        problem = None if done.returncode == 0 else done.stdout.strip()
    except subprocess.TimeoutExpired:
        problem = "the weights could not be read in time"
    if problem is not None:
        raise ModelError(problem.replace(str(path), "the file") or "the weights cannot be read")


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without the keys of the service and its boards."""
    return {name: value for name, value in environ.items() if not name.startswith(SECRETS)}


def main() -> None:
    """Load and trace; print what is wrong and leave with 2."""
    from haq.prepare import load_network

    asked = json.loads(sys.argv[1])
    try:
        load_network(asked["model"], Path(asked["path"]), asked["size"], asked["padding"])
    except HaqError as error:
        print(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
