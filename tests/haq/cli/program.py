"""The program run in this process: the same `main`, without the seconds that imports take."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from haq.cli import main


@dataclass(frozen=True)
class Done:
    """What a run of the program left."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error, after its `haq: `."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("haq: "), self.err
        return lines[0].removeprefix("haq: ")

    @property
    def result(self) -> Any:
        """The last line of standard output as JSON."""
        return json.loads(self.out.splitlines()[-1])


def haq(*arguments: object) -> Done:
    """Run `haq` with these arguments."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["haq", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as left:
            assert isinstance(left.code, int | None)
            code = left.code or 0
    return Done(code, out.getvalue(), err.getvalue())
