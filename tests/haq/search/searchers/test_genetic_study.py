from __future__ import annotations

import pytest

from haq.search.searchers.genetic_study import GeneticStudy
from haq.search.state import State
from quant.errors import StateError
from tests.haq.search.searchers.problems import problem

STEPS = problem("free").choices.steps
POPULATION = 6


def make_study() -> GeneticStudy:
    return GeneticStudy(STEPS, POPULATION, seed=1)


def breed(study: GeneticStudy, count: int) -> list[tuple[int, list[int]]]:
    """Trials worth the sum of their widths; every seventh is never told, every fifth not a number.

    A trial is told after the next one was bred.
    """
    bred: list[tuple[int, list[int]]] = []
    for _ in range(count):
        bred.append(study.breed())
        if len(bred) > 1 and bred[-2][0] % 7:
            number, widths = bred[-2]
            study.tell(number, float("nan") if number % 5 == 0 else sum(widths))
    return bred


@pytest.mark.parametrize("count", [0, 1, 4, POPULATION + 4, 5 * POPULATION])
@pytest.mark.filterwarnings("ignore:The value nan is not acceptable")
def test_a_restored_study_goes_on_exactly(count: int) -> None:
    study, restored = make_study(), make_study()
    breed(study, count)
    breed(restored, 3)
    restored.restore(State.from_bytes(study.state().to_bytes()))
    assert breed(restored, 4 * POPULATION) == breed(study, 4 * POPULATION)
    assert restored.state().to_bytes() == study.state().to_bytes()


@pytest.mark.filterwarnings("ignore:The value nan is not acceptable")
def test_later_trials_of_a_generation_leave_its_parents_as_they_were() -> None:
    """Parents were chosen before a trial of theirs was told: they cannot be chosen anew."""
    study, restored = make_study(), make_study()
    first = [study.breed() for _ in range(POPULATION + 1)]
    for number, widths in first[:-1]:
        study.tell(number, sum(widths))
    study.breed()
    late, _ = first[-1]
    study.tell(late, 0.0)
    restored.restore(State.from_bytes(study.state().to_bytes()))
    assert [restored.breed() for _ in range(20)] == [study.breed() for _ in range(20)]


@pytest.mark.filterwarnings("ignore:The value nan is not acceptable")
def test_a_state_stays_as_it_was() -> None:
    study = make_study()
    breed(study, POPULATION)
    state = study.state()
    before = state.to_bytes()
    breed(study, 3 * POPULATION)
    assert state.to_bytes() == before


def test_the_state_of_other_steps_is_refused() -> None:
    with pytest.raises(StateError, match="other choices"):
        GeneticStudy(STEPS[1:], POPULATION, seed=1).restore(make_study().state())
