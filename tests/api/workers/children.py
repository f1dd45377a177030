"""Commands in the place of the process that carries a search out."""

from __future__ import annotations

import sys

Command = tuple[str, ...]
HEAD = "import json, os, sys\nerrand = json.loads(sys.stdin.buffer.readline())\n"
SAY = "say = lambda **what: print(json.dumps(what), flush=True)\n"
PID = 'say(stage="search", done=1, total=2, note=str(os.getpid()))\n'


def child(script: str) -> Command:
    """Reads its errand, says its process id, then does as the script says."""
    return sys.executable, "-c", HEAD + SAY + PID + script


def ending(how: str, error: str | None = None) -> Command:
    return child(f"say(ended={how!r}, error={error!r})")


ENDLESS = child("sys.stdin.read()")
CRASHING = child("os._exit(3)")
KILLED = child("os.kill(os.getpid(), 9)")
DEAF = (sys.executable, "-c", "import os; os.close(0); print('no JSON'); os._exit(4)")
"""Ends before it has read anything."""
