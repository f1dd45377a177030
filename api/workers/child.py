"""`python -m api.workers.child`: carries one search out, told of on standard input.

It says how far it is on standard output, and ends at once when standard input closes: that is when
its worker has ended, in whatever way. What it did until then is in the store.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from api.settings import load_settings
from api.workers.errand import Ending, Errand
from api.workers.layers import layers_file, write_layers
from device_agent.processes.lifeline import exit_when_stdin_closes
from quant.errors import BoardError, HaqError, InUseError, StorageError, WorkerError

PATIENCE_S = 1800.0
"""How long a lost board is waited for."""
NICENESS = 5
"""The service answers people; what searches lose to it are moments."""
PASSING = (BoardError, StorageError, WorkerError, InUseError)
"""Errors that say nothing against the search itself."""


class Spoken:
    """Progress as JSON lines."""

    def __init__(self) -> None:
        self._stage: dict[str, Any] = {}

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps."""
        self._stage = {"stage": title, "done": 0, "total": total, "note": ""}
        say(self._stage)

    def advance(self, note: str = "") -> None:
        """One step is done."""
        self._stage = {**self._stage, "done": self._stage.get("done", 0) + 1, "note": note}
        say(self._stage)

    def note(self, text: str) -> None:
        """Something that is no step."""
        say({**self._stage, "note": text})


def say(what: dict[str, Any]) -> None:
    """A line for the worker."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Carry out the search of the first line, and say how it ended."""
    os.nice(NICENESS)
    errand = Errand.from_line(sys.stdin.buffer.readline())
    exit_when_stdin_closes()
    ending, error = carry_out(errand)
    say({"ended": ending, "error": error})


def carry_out(errand: Errand) -> tuple[Ending, str | None]:
    """How it ended, and why where that is not well."""
    try:
        search(errand)
    except PASSING as error:
        return "again", str(error)
    except HaqError as error:
        return "failed", str(error)
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"
    return "done", None


def search(errand: Errand) -> None:
    """Begin a search, or go on with it, and write its report. Raises HaqError."""
    from haq.connect import open_boards
    from haq.crew import Crew, open_workers
    from haq.report.page import write_report
    from haq.search.asked import make_request
    from haq.search.pause import PatientBoard
    from haq.search.run import run_search
    from haq.store import RunFolder
    from haq.store.durable import room

    settings, progress = load_settings(), Spoken()
    request = make_request(errand.asked)
    folder = RunFolder(settings.runs_dir / errand.job_id, request.model, errand.job_id)
    with room(folder.path):
        write_layers(layers_file(settings.data_dir, errand.job_id), request)
        if not folder.summary.is_file():
            on_ray = settings.ray is not None
            with (
                open_workers(Crew(ray=settings.ray), progress.note) as start,
                open_boards(errand.boards, None, tell=progress.note, on_ray=on_ray) as board,
            ):
                patience_s = PATIENCE_S if errand.boards else 0.0
                patient = PatientBoard(board, patience_s, progress.note)
                run_search(request, folder, patient, progress, start, settings.store_url)
        write_report(folder.path)


if __name__ == "__main__":
    main()
