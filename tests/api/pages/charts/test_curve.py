from __future__ import annotations

from api.pages.charts.curve import divergence_curve, reward_curve


def test_every_episode_has_a_dot() -> None:
    assert reward_curve([(1, -0.5), (2, -0.7), (3, -0.1)], 10).count("<circle") == 3


def test_the_best_reward_is_the_largest_and_the_best_divergence_the_least() -> None:
    values = [(1, 0.5), (2, 0.7), (3, 0.1)]
    assert "3 of 10 episodes, best so far 0.7." in reward_curve(values, 10)
    assert "3 of 10 episodes, best so far 0.1." in divergence_curve(values, 10)


def test_nothing_tried_yet() -> None:
    drawn = divergence_curve([], 10)
    assert "no episode yet" in drawn
    assert 'class="best"' not in drawn


def test_many_dots_are_thinned_and_the_line_is_not() -> None:
    drawn = divergence_curve([(n, 1.0 / n) for n in range(1, 5001)], 5000)
    assert drawn.count("<circle") <= 600
    assert drawn.count("L") >= 4999
