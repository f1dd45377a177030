from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haq.progress import Silent, chunks, track


class Noted:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self, title: str, total: int) -> None:
        self.calls.append(f"{title} {total}")

    def advance(self, note: str = "") -> None:
        self.calls.append("step")


@given(st.lists(st.integers()), st.integers(1, 9))
def test_chunks_are_the_items_in_order(items: list[int], size: int) -> None:
    parts = list(chunks(items, size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)


def test_track_counts_an_item_when_it_is_done() -> None:
    noted = Noted()
    for item in track(noted, "letters", "ab"):
        noted.calls.append(item)
    assert noted.calls == ["letters 2", "a", "step", "b", "step"]


def test_silence() -> None:
    assert list(track(Silent(), "numbers", [1, 2])) == [1, 2]
