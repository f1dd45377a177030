from __future__ import annotations

import pytest

from api.metrics import STATES
from api.pages import words


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.scientific(1.81e-6), "1.8e-06"),
        (words.scientific(0.0), "0"),
        (words.share(0.938), "93.8 %"),
        (words.ratio(0.75159), "0.752"),
        (words.milliseconds(1.1517), "1.152 ms"),
        (words.size(3549724), "3.55 MB"),
        (words.size(999), "999 B"),
        (words.plain(-0.03743114), "-0.03743"),
        (words.duration(7.6), "8 s"),
        (words.duration(80), "1 min 20 s"),
        (words.duration(3 * 3600 + 301), "3 h 5 min"),
        (words.moment(0.0), "1970-01-01 00:00:00"),
        (words.iso(0.0), "1970-01-01T00:00:00+00:00"),
        (words.short("0123456789"), "01234567"),
    ],
)
def test_numbers_in_words(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    "show",
    [
        *(words.scientific, words.share, words.ratio, words.milliseconds, words.size),
        *(words.plain, words.duration, words.moment),
    ],
)
def test_what_is_not_known_is_a_dash(show: object) -> None:
    assert callable(show)
    assert show(None) == words.NONE


def test_every_state_has_a_sign_of_its_own() -> None:
    assert len({words.sign(state) for state in STATES}) == len(STATES)
