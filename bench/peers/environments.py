"""A virtual environment for each tool, since what they need does not fit together."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from bench.peers.tools import Tool

DONE = "installed.txt"


class ToolError(Exception):
    """A tool that cannot be installed or run, in one line."""


def find_python(tool: Tool, folder: Path) -> Path:
    """The interpreter that runs a tool: our own, or that of an environment below `folder`.

    An environment with other requirements than before is made anew. Raises ToolError where the
    tool cannot be installed.
    """
    if not tool.requirements:
        return Path(sys.executable)
    home, wanted = folder / tool.driver, "\n".join(tool.requirements)
    python = home / "bin" / "python"
    if not (home / DONE).is_file() or (home / DONE).read_text() != wanted:
        venv.create(home, clear=True, with_pip=True)
        call([str(python), "-m", "pip", "install", "--quiet", *tool.requirements])
        (home / DONE).write_text(wanted)
    return python


def call(command: list[str]) -> None:
    """Run a command. Raises ToolError with the last line of what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ToolError(f"exit code {done.returncode}: {said:.300}")
