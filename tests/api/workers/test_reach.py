from __future__ import annotations

import pytest

from api.workers import reach
from api.workers.aside import Question
from haq.search.asked import Asked
from quant.errors import BudgetError, InputError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """What was asked in other processes."""
    found: list[Question] = []
    monkeypatch.setattr(reach, "ask", lambda module, question: found.append(question))
    reach._look.cache_clear()
    return found


def test_only_what_needs_no_measuring_is_asked(asked: list[Question]) -> None:
    reach.check_reach(Asked(budget=("latency=0.1x",)))
    reach.check_reach(Asked())
    assert asked == []
    reach.check_reach(Asked(budget=("latency=0.1x", "size=0.5x")))
    assert [question["budget"] for question in asked] == [["size=0.5x"]]


def test_the_same_is_asked_once(asked: list[Question]) -> None:
    for seed in (1, 2):
        reach.check_reach(Asked(budget=("size=0.5x",), seed=seed, data=f"images{seed}"))
    reach.check_reach(Asked(budget=("size=0.5x",), bits="8,16"))
    assert len(asked) == 2


def test_what_was_refused_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reach._look.cache_clear()
    answers = [InputError("too small"), None]

    def ask(module: str, question: Question) -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    monkeypatch.setattr(reach, "ask", ask)
    with pytest.raises(InputError, match="too small"):
        reach.check_reach(Asked(budget=("size=0.1x",)))
    reach.check_reach(Asked(budget=("size=0.1x",)))


@pytest.mark.parametrize(
    ("budget", "bits"),
    [(["size=0.5x"], "8,16,32"), (["size=0.2x", "bops=0.05x"], "2-8"), (["energy=0.9x"], "8,32")],
)
def test_what_is_within_reach(budget: list[str], bits: str) -> None:
    reach.find({"budget": budget, "bits": bits})


@pytest.mark.parametrize(
    ("budget", "bits"),
    [(["size=0.2x"], "8,16,32"), (["bops=0.001x"], "2-8"), (["energy=0.01x"], "8,32")],
)
def test_what_is_out_of_reach(budget: list[str], bits: str) -> None:
    with pytest.raises(BudgetError, match="the least reachable is"):
        reach.find({"budget": budget, "bits": bits})


def test_another_process_says_the_same() -> None:
    reach._look.cache_clear()
    with pytest.raises(InputError, match="the least reachable is"):
        reach.check_reach(Asked(budget=("size=0.1x",)))
