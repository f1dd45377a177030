from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haq.store import Store, open_store
from quant.errors import InputError

ONE, OTHER = "1" * 32, "2" * 32
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


def begin(store: Store) -> None:
    for run_id in (ONE, OTHER):
        store.begin(run_id, {"model": "mbv2"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(data=st.dictionaries(words.filter(lambda key: len(key) < 160), values, max_size=4))
def test_what_was_put_is_found_by_other_processes(store_url: str, data: dict[str, Any]) -> None:
    content = str(abs(hash(repr(data))))
    with open_store(store_url) as store:
        store.evaluations(content).put("score", data)
        assert store.evaluations(content).get("score", list(data)) == data
    with open_store(store_url) as store:
        assert store.evaluations(content).get("score", [*data, "unknown" * 3]) == data


def test_kinds_contents_and_runs_are_kept_apart(store_url: str) -> None:
    with open_store(store_url) as store:
        begin(store)
        places = [store.evaluations("a"), store.evaluations("b")]
        places += [store.measurements(ONE), store.measurements(OTHER)]
        for number, entries in enumerate(places):
            entries.put("score", {"key": number})
            entries.put("images", {"key": -number})
        for number, entries in enumerate(places):
            assert entries.get("score", ["key"]) == {"key": number}
            assert entries.get("images", ["key"]) == {"key": -number}


def test_what_was_put_first_stays(store_url: str) -> None:
    with open_store(store_url) as store:
        entries = store.evaluations("a")
        entries.put("score", {"one": 1})
        entries.put("score", {"one": 3, "two": 2})
        assert entries.get("score", ["one", "two"]) == {"one": 1, "two": 2}


def test_a_run_begins_once(store_url: str) -> None:
    with open_store(store_url) as store:
        begin(store)
        store.trials(ONE).put(1, {"kl": 0.1})
        begin(store)
        assert store.trials(ONE).records == [{"kl": 0.1}]


def test_a_run_that_is_forgotten_takes_its_own_with_it(store_url: str) -> None:
    with open_store(store_url) as store:
        begin(store)
        store.evaluations("a").put("score", {"key": 1})
        for run_id in (ONE, OTHER):
            store.trials(run_id).put(1, {"kl": 0.1})
            store.measurements(run_id).put("latency", {"key": 2})
            store.checkpoints(run_id).put(8, b"state")
        store.forget(ONE)
        assert store.trials(ONE).records == []
        assert store.measurements(ONE).get("latency", ["key"]) == {}
        assert list(store.checkpoints(ONE).newest_first()) == []
        assert store.trials(OTHER).records == [{"kl": 0.1}]
        assert store.evaluations("a").get("score", ["key"]) == {"key": 1}


def test_trials_are_read_back_in_their_order(store_url: str) -> None:
    rows = [{"kl": number / 3} for number in range(12)]
    with open_store(store_url) as store:
        begin(store)
        trials = store.trials(ONE)
        for number, row in enumerate(rows, 1):
            trials.put(number, row)
        assert trials.records == store.trials(ONE).records == rows


def test_a_trial_that_comes_out_otherwise_is_refused(store_url: str) -> None:
    with open_store(store_url) as store:
        begin(store)
        store.trials(ONE).put(1, {"kl": 0.1})
        again = store.trials(ONE)
        again.put(1, {"kl": 0.1})
        with pytest.raises(InputError, match=r"^trial 1 in .* comes out otherwise now: go on with"):
            again.put(1, {"kl": 0.2})
        assert store.trials(ONE).records == [{"kl": 0.1}]


def test_two_generations_of_checkpoints_are_kept(store_url: str) -> None:
    with open_store(store_url) as store:
        begin(store)
        checkpoints = store.checkpoints(ONE)
        for episodes in (8, 16, 16, 24):
            checkpoints.put(episodes, bytes([episodes]) * 1000)
        store.checkpoints(OTHER).put(99, b"other")
        assert list(checkpoints.newest_first()) == [(24, b"\x18" * 1000), (16, b"\x10" * 1000)]


def test_a_store_in_a_file_stays_with_it(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        store.evaluations("a").put("score", {"key": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]
