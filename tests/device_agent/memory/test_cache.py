import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agent.memory.cache import Cache

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache(tmp_path / "cache", kept=10)
    found.prepare()
    return found


def test_an_answer_is_found_by_its_question_whatever_its_order(cache: Cache) -> None:
    cache.keep({"policy": {"a": 8, "b": 16}, "threads": 1}, {"ratio": 0.9})
    assert cache.find({"threads": 1, "policy": {"b": 16, "a": 8}}) == {"ratio": 0.9}
    assert cache.find({"threads": 2, "policy": {"b": 16, "a": 8}}) is None


def test_it_survives_a_restart(cache: Cache) -> None:
    cache.keep({"q": 1}, {"a": 1})
    again = Cache(cache.folder)
    again.prepare()
    assert again.find({"q": 1}) == {"a": 1}


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff", b"3"])
def test_a_torn_answer_counts_as_absent(cache: Cache, text: bytes) -> None:
    cache.keep({"q": 1}, {"a": 1})
    (file,) = cache.folder.iterdir()
    file.write_bytes(text)
    assert cache.find({"q": 1}) is None
    cache.keep({"q": 1}, {"a": 2})
    assert cache.find({"q": 1}) == {"a": 2}


def test_the_oldest_make_room(cache: Cache) -> None:
    for number in range(11):
        cache.keep({"q": number}, {"a": number})
        for age, file in enumerate(sorted(cache.folder.iterdir(), key=os.path.getmtime)):
            os.utime(file, (age, age))
    kept = [number for number in range(11) if cache.find({"q": number})]
    assert kept == list(range(2, 11))


def test_nothing_partial_stays(cache: Cache) -> None:
    (cache.folder / ".partial-1").write_text("{")
    cache.prepare()
    cache.keep({"q": 1}, {"a": 1})
    assert [file.name[0] for file in cache.folder.iterdir()] != ["."]
    assert len(list(cache.folder.iterdir())) == 1


@given(st.dictionaries(st.text(max_size=5), json_values))
def test_no_question_leaves_the_folder(question: dict[str, object]) -> None:
    path = Cache(Path("/folder"))._path(question)
    assert path.parent == Path("/folder")
    assert len(path.name) == 64
