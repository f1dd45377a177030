from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest

from haq.board.parallel import start


def test_calls_run_at_the_same_time() -> None:
    first, second = Event(), Event()

    def meet(mine: Event, other: Event) -> bool:
        mine.set()
        return other.wait(10)

    running = [start(lambda: meet(first, second)), start(lambda: meet(second, first))]
    assert [future.result() for future in running] == [True, True]


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        start(fail).result()


def test_the_program_ends_although_a_call_runs() -> None:
    code = (
        "from threading import Event\nfrom haq.board.parallel import start\n"
        "start(Event().wait)\nprint('end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.stdout == b"end\n"
