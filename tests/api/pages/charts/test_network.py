from __future__ import annotations

import re

from api.pages.charts.network import TALL, Row, network_chart

NAMES = ["features.0", "classifier"]


def heights(drawn: str) -> list[float]:
    return [float(text) for text in re.findall(r'<rect [^>]*height="([\d.]+)"', drawn)]


def test_bars_are_as_high_as_their_bits() -> None:
    assert heights(network_chart("bits", "Bits", NAMES, [Row("bits", [8, 32])])) == [TALL / 4, TALL]


def test_a_bar_says_its_bits_in_words_and_numbers() -> None:
    drawn = network_chart("bits", "Bits", NAMES, [Row("bits", [8, 32])])
    assert "<title>features.0: 8 bits</title>" in drawn
    assert ">8<" in drawn
    assert "bits: 1 layers at 8, 1 layers at 32." in drawn


def test_shares_are_of_the_largest_and_small_ones_bear_no_number() -> None:
    drawn = network_chart("bits", "Bits", NAMES, [Row("share", [0.01, 0.99], "share")])
    assert ">99<" in drawn
    assert ">1<" not in drawn
    assert "at most 99.0 % in one layer" in drawn


def test_marked_layers_are_pointed_at() -> None:
    row = Row("bits", [8, 16], marked=frozenset({1}))
    assert network_chart("bits", "Bits", NAMES, [row]).count('class="differs"') == 1


def test_names_of_layers_are_text() -> None:
    drawn = network_chart("bits", "Bits", ["<b>"], [Row("bits", [8])])
    assert "<b>" not in drawn
