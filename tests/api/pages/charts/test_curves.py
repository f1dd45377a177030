from __future__ import annotations

from api.pages.charts.curves import Run, best_curves


def test_every_search_has_a_line_and_its_name() -> None:
    drawn = best_curves([Run("A: one", [0.5, 0.7, 0.1]), Run("B: two", [0.2])])
    assert 'class="line line0"' in drawn
    assert 'class="line line1"' in drawn
    assert "A: one: 0.1 after 3 episodes; B: two: 0.2 after 1 episodes." in drawn


def test_a_search_without_trials_has_no_line() -> None:
    drawn = best_curves([Run("A", [0.5]), Run("B", [])])
    assert "line1" not in drawn
    assert "B: no episode yet" in drawn
