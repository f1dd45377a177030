from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haq.progress import Silent, chunks


@given(st.lists(st.integers()), st.integers(1, 9))
def test_chunks_are_the_items_in_order(items: list[int], size: int) -> None:
    parts = list(chunks(items, size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)


def test_silence() -> None:
    silent = Silent()
    silent.start("numbers", 2)
    silent.advance("one")
    assert vars(silent) == {}
