"""How far a long job has come, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Shows stages of known length, one after another."""

    def start(self, title: str, total: int) -> None:
        """Begin a stage of `total` steps."""

    def advance(self, note: str = "") -> None:
        """One step of the current stage is done; `note` says what came of it."""

    def note(self, text: str) -> None:
        """Say something that is no step, such as what is waited for; from any thread."""


class Silent:
    """Shows nothing."""

    def start(self, title: str, total: int) -> None:
        """Begin a stage."""

    def advance(self, note: str = "") -> None:
        """One step is done."""

    def note(self, text: str) -> None:
        """Say nothing."""


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Slices of at most `size` items."""
    return (items[i : i + size] for i in range(0, len(items), size))
