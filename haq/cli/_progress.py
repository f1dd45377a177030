"""Progress on standard error: bars on a terminal, a line a stage elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from haq import progress


@contextmanager
def show_progress() -> Iterator[progress.Progress]:
    """Whatever suits standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(console)
        return
    with make_bars(console) as bars:
        yield Bars(bars)


class Lines:
    """One line at the start of each stage, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps."""
        self._console.print(f"{title} ({total})", highlight=False)

    def advance(self, note: str = "") -> None:
        """One step is done."""

    def note(self, text: str) -> None:
        """A line of its own."""
        say(self._console, text)


class Bars:
    """A bar for each stage, with the time spent and the time left."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._stage: TaskID | None = None

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps; the one before is done."""
        if self._stage is not None:
            done = self._bars.tasks[self._stage].completed or 1
            self._bars.update(self._stage, total=done, completed=done)
        self._stage = self._bars.add_task(title, total=total, note="")

    def advance(self, note: str = "") -> None:
        """One step of the current stage is done."""
        if self._stage is not None:
            self._bars.update(self._stage, advance=1, note=note)

    def note(self, text: str) -> None:
        """A line above the bars."""
        say(self._bars.console, text)


def say(console: Console, text: str) -> None:
    """Print text as it is: it may hold what an agent wrote."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def make_bars(console: Console) -> Progress:
    """Columns of a bar."""
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
