from __future__ import annotations

from haq.store.database import Database
from haq.store.schema import RUNS
from haq.store.trials import Trials, count_trials, last_trial, least_kl, pick_trials, read_trials

ONE, OTHER = "1" * 32, "2" * 32
KLS = (0.5, 0.25, 0.75)


def test_trials_are_found_by_their_run_and_number(store_url: str) -> None:
    database = Database(store_url)
    for run in (ONE, OTHER):
        database.write((RUNS.insert(), [{"id": run, "settings": {}}]))
    trials = Trials(database, ONE)
    for number, kl in enumerate(KLS, 1):
        trials.put(number, {"kl": kl})
    assert read_trials(database, ONE, 1, 1) == [{"kl": 0.25}]
    assert pick_trials(database, ONE, [3, 1, 9]) == {1: {"kl": 0.5}, 3: {"kl": 0.75}}
    assert pick_trials(database, ONE, []) == pick_trials(database, OTHER, [1]) == {}
    assert count_trials(database, [ONE, OTHER]) == {ONE: 3}
    assert [last_trial(database, run_id) for run_id in (ONE, OTHER)] == [3, 0]
    assert (least_kl(database, ONE), least_kl(database, ONE, 2), least_kl(database, OTHER)) == (
        0.25,
        0.75,
        None,
    )
    database.close()
