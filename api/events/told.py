"""Events as they are told: one, and all that those who stand at one place are told at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from api.events.cursor import Cursor


@dataclass(frozen=True)
class Told:
    """One event: its kind, its data as JSON, and the id from which to go on; None is no place."""

    kind: str
    data: str
    cursor: Cursor | None

    @property
    def text(self) -> str:
        """As it is sent; its data is JSON and has no line breaks."""
        place = "" if self.cursor is None else f"id: {self.cursor}\n"
        return f"{place}event: {self.kind}\ndata: {self.data}\n\n"


@dataclass(frozen=True)
class Place:
    """What a follower has been told: all up to a cursor, and so many steps of progress."""

    cursor: Cursor
    steps: int = 0


@dataclass(frozen=True)
class Batch:
    """Events that are told at once, where a follower stands after them, and whether that is all."""

    events: tuple[Told, ...]
    place: Place
    is_last: bool = False

    @cached_property
    def text(self) -> str:
        """As it is sent; a comment where there is nothing. Made once for all followers."""
        return "".join(event.text for event in self.events) or ":\n\n"
