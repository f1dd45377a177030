"""haq as users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = (sys.executable, "-c", "from haq.cli import main; main()")


def haq(*options: object) -> Any:
    """The JSON that a command prints. Raises CalledProcessError; what it says is on the way."""
    command = [*PROGRAM, *map(str, options), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
