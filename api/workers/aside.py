"""A question to torch, put to a process of its own.

The service itself does not load it, and what was uploaded is read by no process that has the keys.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from api.errors import BusyError
from quant.errors import HaqError, InputError

TIMEOUT_S = 120.0
SECRETS = ("HAQ_SERVICE_", "HAQ_BOARD_KEY_")
Question = Mapping[str, Any]


def ask(module: str, question: Question) -> Any:
    """What `python -m MODULE` answers.

    Raises InputError with what it finds wrong, BusyError where it does not answer in time.
    """
    try:
        done = subprocess.run(
            (sys.executable, "-m", module, json.dumps(question, default=str)),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=without_secrets(os.environ),
            check=False,
        )
        said = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise BusyError("the network could not be looked at in time: ask again later") from None
    except ValueError:
        raise InputError("the network cannot be looked at: its process ended early") from None
    if "problem" in said:
        raise InputError(said["problem"])
    return said["answer"]


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without the keys of the service and its boards."""
    return {name: value for name, value in environ.items() if not name.startswith(SECRETS)}


def answer(reply: Callable[[Question], Any]) -> None:
    """Print what `reply` makes of the question, or what is wrong with that."""
    try:
        said = {"answer": reply(json.loads(sys.argv[1]))}
    except HaqError as error:
        said = {"problem": str(error)}
    print(json.dumps(said))
