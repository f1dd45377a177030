from __future__ import annotations

from api.pages.run_view import ON_A_PAGE, best_policy, curves, steps, table
from api.service import Service
from tests.api.pages.made_up import put_run, summary, trial


def test_steps_are_the_trials_better_than_all_before() -> None:
    trials = [trial(n, kl=kl) for n, kl in enumerate([0.5, 0.6, 0.4, 0.4, 0.1], 1)]
    assert [step["episode"] for step in steps(trials)] == [1, 3, 5]


def test_curves_leave_out_what_has_no_reward() -> None:
    found = curves([trial(1), trial(2, reward=None)], 8)
    assert "1 of 8 episodes" in found.reward
    assert "2 of 8 episodes" in found.divergence


def test_the_best_so_far_is_the_one_of_the_least_divergence(service: Service) -> None:
    trials = [trial(1, kl=0.3), trial(2, kl=0.1), trial(3, kl=0.2)]
    best = best_policy(service, put_run(service, trials), trials, None)
    assert best is not None
    assert [layer.weight for layer in best.layers] == [16, 16, 32]
    assert "trial 2" in best.title


def test_what_was_found_goes_before(service: Service) -> None:
    best = best_policy(service, put_run(service), [], summary())
    assert best is not None
    assert [layer.weight for layer in best.layers] == [8, 8, 16]


def test_before_any_trial_there_is_no_best(service: Service) -> None:
    assert best_policy(service, put_run(service), [], None) is None


def test_a_table_is_filtered_sorted_and_has_pages() -> None:
    trials = [trial(n) for n in range(1, 2 * ON_A_PAGE + 2)]
    found = table(trials, "ddpg", 0.25, "kl", True, ON_A_PAGE)
    assert (found.all, found.passing) == (51, 50)
    assert [record["episode"] for record in found.trials[:2]] == [27, 28]
    assert (found.before, found.behind) == (0, None)
    first = table(trials, None, None, "kl", False, 0)
    assert (first.before, first.behind, first.trials[0]["episode"]) == (None, ON_A_PAGE, 51)
