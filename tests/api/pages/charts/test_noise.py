from __future__ import annotations

import re

from api.pages.charts.noise import noise_curve

HOUR_S = 3600.0


def test_a_dot_for_every_batch_at_its_time() -> None:
    drawn = noise_curve("pi5", [(0.0, 0.01), (HOUR_S, 0.03), (3 * HOUR_S, 0.02)])
    x = [float(place) for place in re.findall(r'<circle cx="([0-9.]+)"', drawn)]
    y = [float(place) for place in re.findall(r'cy="([0-9.]+)"', drawn)]
    assert round((x[2] - x[0]) / (x[1] - x[0]), 2) == 3
    assert y[1] < y[2] < y[0]
    assert (
        "3 batches from 1970-01-01 00:00 to 1970-01-01 03:00 UTC, half of them within 2 %" in drawn
    )


def test_one_batch_and_none() -> None:
    assert noise_curve("pi5", [(0.0, 0.01)]).count("<circle") == 1
    assert "Nothing was measured yet." in noise_curve("pi5", [])


def test_names_are_no_markup() -> None:
    assert "<b>" not in noise_curve("<b>", [])
