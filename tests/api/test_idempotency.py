from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from api.errors import ConflictError
from api.idempotency import KEPT_S, STALE_S, Answer, Answers, fingerprint, id_from
from api.store.schema import ANSWERS
from haq.store.database import Database
from quant.errors import InputError
from tests.api.databases import database_at

DONE = Answer(201, {"id": "1"}, "/v1/searches/1")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


@pytest.fixture
def answers(database: Database) -> Answers:
    return Answers(database)


def make_older(database: Database, seconds: float) -> None:
    older = update(ANSWERS).values(at=ANSWERS.columns.at - seconds)
    database.change(older.returning(ANSWERS.columns.at))


def count(database: Database) -> int:
    (row,) = database.read(select(func.count()).select_from(ANSWERS))
    return int(row[0])


def test_the_first_is_carried_out_and_its_answer_remembered(answers: Answers) -> None:
    assert answers.begin("anna", "k", "f") is None
    answers.finish("anna", "k", DONE)
    assert answers.begin("anna", "k", "f") == DONE


def test_another_keys_is_another(answers: Answers) -> None:
    answers.begin("anna", "k", "f")
    assert answers.begin("ben", "k", "f") is None
    assert answers.begin("anna", "k2", "f") is None


@pytest.mark.parametrize("is_done", [False, True])
def test_it_is_not_used_for_two_requests(answers: Answers, is_done: bool) -> None:
    answers.begin("anna", "k", "f")
    if is_done:
        answers.finish("anna", "k", DONE)
    with pytest.raises(InputError):
        answers.begin("anna", "k", "g")


def test_who_comes_meanwhile_is_told_to_wait(answers: Answers) -> None:
    answers.begin("anna", "k", "f")
    with pytest.raises(ConflictError):
        answers.begin("anna", "k", "f")


def test_what_came_to_nothing_may_be_tried_again(answers: Answers) -> None:
    answers.begin("anna", "k", "f")
    answers.forget("anna", "k")
    assert answers.begin("anna", "k", "g") is None


def test_a_request_that_died_is_taken_over_once(answers: Answers, database: Database) -> None:
    answers.begin("anna", "k", "f")
    make_older(database, STALE_S + 1)
    assert answers.begin("anna", "k", "f") is None
    with pytest.raises(ConflictError):
        answers.begin("anna", "k", "f")


def test_old_answers_are_not_kept(answers: Answers, database: Database) -> None:
    answers.begin("anna", "old", "f")
    make_older(database, KEPT_S + 1)
    answers.begin("anna", "new", "f")
    assert count(database) == 1


def test_what_is_forgotten_at_that_moment_is_begun(
    answers: Answers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the second, the other request comes to nothing."""
    answers.begin("anna", "k", "f")
    write = database.write

    def write_and_lose(*changes: object) -> None:
        write(*changes)  # type: ignore[arg-type]
        monkeypatch.setattr(database, "write", write)
        answers.forget("anna", "k")

    monkeypatch.setattr(answers, "_forget_old", lambda: None)
    monkeypatch.setattr(database, "write", write_and_lose)
    assert answers.begin("anna", "k", "f") is None


def test_of_many_at_once_one_is_carried_out(store_url: str, database: Database) -> None:
    start = threading.Barrier(6)

    def begin(_: int) -> bool:
        with database_at(store_url) as mine:
            start.wait()
            try:
                return Answers(mine).begin("anna", "k", "f") is None
            except ConflictError:
                return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(begin, range(6))) == 1


def test_fingerprints_differ_where_requests_do() -> None:
    parts = ("POST", "/a?b", b"c")
    other = [("PUT", "/a?b", b"c"), ("POST", "/a?", b"bc"), ("POST", "/a?b", b"")]
    assert len({fingerprint(*parts), *(fingerprint(*o) for o in other)}) == 4


def test_ids_follow_from_the_key_and_have_the_form_of_others() -> None:
    assert id_from("anna", "k") == id_from("anna", "k")
    assert len({id_from("anna", "k"), id_from("ben", "k"), id_from("annak", "")}) == 3
    assert len(id_from("anna", "k")) == 32
    int(id_from("anna", "k"), 16)
