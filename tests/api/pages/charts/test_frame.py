from __future__ import annotations

from api.pages.charts.frame import Frame, axes
from api.pages.charts.scale import Scale


def test_axes_have_their_numbers_and_names() -> None:
    frame = Frame()
    drawn = "".join(
        axes(frame, Scale(0, 10, *frame.across), Scale(0, 4, *frame.upwards), "episode", "KL")
    )
    for words in (">episode<", ">KL<", ">10<", ">4<"):
        assert words in drawn
