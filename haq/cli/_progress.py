"""Progress bars on standard error."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """A bar for each stage, with time spent and time left; implements `haq.progress.Progress`."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<26}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._stage = self._bars.add_task("starting", total=1, note="")

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps; the one before is done."""
        self._finish()
        self._stage = self._bars.add_task(title, total=total, note="")

    def advance(self, note: str = "") -> None:
        """One step of the current stage is done."""
        self._bars.update(self._stage, advance=1, note=note)

    def _finish(self) -> None:
        task = self._bars.tasks[self._stage]
        self._bars.update(self._stage, total=max(task.completed, 1), completed=task.completed or 1)
