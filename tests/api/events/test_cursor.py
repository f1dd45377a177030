from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.events.cursor import Cursor, parse_cursor

NUMBERS = st.integers(0, 999_999_999)


@given(NUMBERS, NUMBERS)
def test_a_cursor_comes_back(states: int, trials: int) -> None:
    cursor = Cursor(states, trials)
    assert parse_cursor(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [None, "", "-", "1", "1-", "-1-2", "1-2-3", "1-2\n", "a-b", "1.0-2", "١-٢", "1" * 10 + "-1"],
)
def test_anything_else_is_the_beginning(text: str | None) -> None:
    assert parse_cursor(text) == Cursor()


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    parse_cursor(text)
