from __future__ import annotations

import numpy as np
import pytest

from haq.search.searchers.learned_harm import BOLDNESS, LearnedHarm, boldness
from quant.policy import Policy
from tests.haq.search.searchers.problems import problem, total


def drawn(kind: str, count: int, seed: int = 0) -> list[Policy]:
    choices, rng = problem(kind).choices, np.random.default_rng(seed)
    return [
        choices.policy([int(rng.choice(step.widths)) for step in choices.steps])
        for _ in range(count)
    ]


@pytest.mark.parametrize("kind", ["free", "tied"])
def test_before_trials_the_harms_add_up(kind: str) -> None:
    given = problem(kind)
    # What is next to nothing is raised a little.
    policies = [p for p in drawn(kind, 30) if total(p, given.harm) > 1e-4]
    assert len(policies) > 10
    belief = LearnedHarm(given.choices, given.harm).draw()
    expected = np.log([total(policy, given.harm) for policy in policies])
    assert belief.log_kl(policies) == pytest.approx(expected, abs=0.02)
    for name, row in belief.harm.items():
        for bits, kl in row.items():
            assert kl == pytest.approx(given.harm[name][bits], rel=0.02, abs=0.01)


@pytest.mark.parametrize("kind", ["free", "tied"])
def test_trials_correct_harms_that_are_wrong(kind: str) -> None:
    given = problem(kind)
    rng = np.random.default_rng(3)
    true = {
        n: {b: kl * factor for b, kl in row.items()}
        for (n, row), factor in zip(given.harm.items(), np.exp(rng.normal(0, 0.7, 6)), strict=True)
    }
    learned = LearnedHarm(given.choices, given.harm)
    for policy in drawn(kind, 150):
        learned.observe(policy, 3 * total(policy, true) ** 1.1)
    unseen = drawn(kind, 50, seed=1)
    wanted = np.log([3 * total(policy, true) ** 1.1 for policy in unseen])
    before = LearnedHarm(given.choices, given.harm).draw().log_kl(unseen)
    after = learned.draw().log_kl(unseen)
    assert np.abs(after - wanted).mean() < 0.25 * np.abs(before - wanted).mean()


def test_draws_doubt_what_was_not_seen() -> None:
    given, rng = problem("free"), np.random.default_rng(0)
    learned = LearnedHarm(given.choices, given.harm)
    seen, unseen = drawn("free", 2)
    learned.observe(seen, 0.3)
    draws = np.array([learned.draw(rng).log_kl([seen, unseen]) for _ in range(200)])
    assert draws[:, 0].mean() == pytest.approx(np.log(0.3), abs=0.05)
    assert draws[:, 0].std() < 0.1 < 2 * draws[:, 1].std()
    assert draws[:, 1].std() > 2 * draws[:, 0].std()


def test_a_later_score_replaces_an_earlier_one() -> None:
    given = problem("free")
    (policy,) = drawn("free", 1)
    twice, once = (LearnedHarm(given.choices, given.harm) for _ in range(2))
    twice.observe(policy, 5.0)
    twice.observe(policy, 0.5)
    once.observe(policy, 0.5)
    assert twice.draw().log_kl([policy]) == pytest.approx(once.draw().log_kl([policy]))


def test_draws_calm_down_as_trials_come() -> None:
    bold = [boldness(trials) for trials in range(60)]
    assert bold[0] == 1
    assert bold == sorted(bold, reverse=True)
    assert bold[-1] == BOLDNESS
