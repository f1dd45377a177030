"""How far a long job has come, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Shows stages of known length, one after another."""

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps."""

    def advance(self, note: str = "") -> None:
        """One step of the current stage is done; `note` says what came of it."""


class Silent:
    """Shows nothing."""

    def start(self, title: str, total: int) -> None:
        """Begin a stage."""

    def advance(self, note: str = "") -> None:
        """One step is done."""


def track(progress: Progress, title: str, items: Sequence[T]) -> Iterator[T]:
    """The items, each counted as a step when the next one is asked for."""
    progress.start(title, len(items))
    for item in items:
        yield item
        progress.advance()


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Slices of at most `size` items."""
    return (items[i : i + size] for i in range(0, len(items), size))
