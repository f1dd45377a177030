from __future__ import annotations

from api.pages.charts.front import Place, front_chart

PLACES = [
    Place("trial", "trial 1", 0.5, 1e-3),
    Place("front", "trial 2", 0.4, 1e-4),
    Place("front", "trial 3", 0.6, 1e-5),
    Place("found", "found", 0.6, 1e-5),
    Place("float", "float", 1.0, 0.0),
]


def test_every_place_is_drawn_and_what_is_held_against_is_named() -> None:
    drawn = front_chart(PLACES, "size, ratio to float")
    for words in ("trial 1: cost 0.5, 0.001", ">found<", ">float<", "size, ratio to float"):
        assert words in drawn
    assert "3 trials; found at cost 0.6, 1e-05; float at cost 1, 0." in drawn


def test_the_front_is_joined() -> None:
    assert 'class="front-line"' in front_chart(PLACES, "size")
    assert 'class="front-line"' not in front_chart(PLACES[:2], "size")


def test_the_legend_names_those_kinds_that_there_are() -> None:
    drawn = front_chart(PLACES, "size")
    assert ">front<" in drawn
    assert ">uniform bits<" not in drawn


def test_a_bound_is_a_line_within_the_plot() -> None:
    assert 'class="bound"' in front_chart(PLACES, "size", bound=0.1)
    assert 'class="bound"' not in front_chart(PLACES, "size")


def test_the_height_may_be_an_accuracy() -> None:
    drawn = front_chart([Place("trial", "trial 1", 1.0, 0.9)], "size", "top-1")
    assert ">top-1<" in drawn
