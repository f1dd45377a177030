from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from device_agent.memory.idempotency import Answers, IdempotencyError, fingerprint
from device_agent.models.networks import UnknownNetworkError
from device_agent.processes.jobs import JobError, JobTimeoutError, StoppingError
from device_agent.turns.line import LeaseLostError, QueueFullError
from quant.errors import InputError
from tests.device_agent.fake_clock import FakeClock

KEY = ("anna", "key 1")


class Work:
    """A job that counts its runs."""

    def __init__(self, outcome: bytes | Exception = b"done") -> None:
        self.outcome = outcome
        self.runs = 0

    def __call__(self) -> bytes:
        self.runs += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_the_same_request_is_answered_again_without_running() -> None:
    answers, work = Answers(), Work()
    assert [answers.once(KEY, "print", work).result(0) for _ in range(3)] == [b"done"] * 3
    assert work.runs == 1


def test_another_request_under_the_same_key_is_refused_whether_the_first_runs_or_not() -> None:
    answers = Answers()

    def work() -> bytes:
        with pytest.raises(IdempotencyError):
            answers.once(KEY, "other print", Work())
        return b"done"

    assert answers.once(KEY, "print", work).result(0) == b"done"
    with pytest.raises(IdempotencyError, match="take a new one"):
        answers.once(KEY, "other print", Work())


def test_keys_belong_to_their_owner() -> None:
    answers = Answers()
    answers.once(("anna", "key"), "print", Work(b"for anna"))
    assert answers.once(("ben", "key"), "print", Work(b"for ben")).result(0) == b"for ben"


def test_who_asks_while_it_runs_gets_the_same_answer_when_it_comes() -> None:
    answers, started, go, second = Answers(), Event(), Event(), Work()

    def work() -> bytes:
        started.set()
        assert go.wait(10)
        return b"done"

    with ThreadPoolExecutor() as pool:
        first = pool.submit(answers.once, KEY, "print", work)
        assert started.wait(10)
        again = answers.once(KEY, "print", second)
        assert not again.done()
        go.set()
        assert again.result(10) == b"done" == first.result(10).result(0)
    assert second.runs == 0


@pytest.mark.parametrize(
    ("error", "runs"),
    [
        (JobError("died"), 1),
        (JobTimeoutError("late"), 1),
        (StoppingError("stopping"), 2),
        (QueueFullError("full"), 2),
        (LeaseLostError("lost"), 2),
        (UnknownNetworkError("register it"), 2),
        (InputError("upload it"), 2),
        (OSError("no space"), 2),
        (ZeroDivisionError("a bug"), 2),
    ],
)
def test_only_how_a_job_ended_is_kept(error: Exception, runs: int) -> None:
    answers, work = Answers(), Work(error)
    for _ in range(2):
        assert answers.once(KEY, "print", work).exception(0) is error
    assert work.runs == runs


def ask(answers: Answers, number: int, size: int = 1) -> int:
    work = Work(bytes(size))
    answers.once(("anna", str(number)), "print", work)
    return work.runs


def test_the_oldest_answers_go_when_there_are_too_many() -> None:
    answers = Answers(max_answers=3)
    assert [ask(answers, number) for number in (0, 1, 2, 0, 3)] == [1, 1, 1, 0, 1]
    assert [ask(answers, number) for number in (1, 2, 3)] == [0, 0, 0]
    assert ask(answers, 0) == 1


def test_the_oldest_answers_go_when_they_are_too_large() -> None:
    answers = Answers(max_bytes=10)
    assert [ask(answers, number, 4) for number in (0, 1, 2, 2, 1)] == [1, 1, 1, 0, 0]
    assert ask(answers, 0, 4) == 1
    assert [ask(answers, 3, 11), ask(answers, 3, 11)] == [1, 1]


def test_answers_are_kept_for_their_time_from_when_they_came() -> None:
    clock = FakeClock()
    answers = Answers(keep_s=3600, clock=clock)

    def slow() -> bytes:
        clock.now_s = 5000
        return b"done"

    answers.once(KEY, "print", slow)
    again = Work()
    clock.now_s = 8600
    answers.once(KEY, "print", again)
    assert again.runs == 0
    clock.now_s = 8601
    answers.once(KEY, "print", again)
    assert again.runs == 1


def test_a_running_job_is_not_forgotten_for_others() -> None:
    answers = Answers(max_answers=1)
    nested: list[int] = []

    def work() -> bytes:
        nested.extend(ask(answers, number) for number in range(3))
        return b"done"

    answers.once(KEY, "print", work)
    again = Work()
    assert answers.once(KEY, "print", again).result(0) == b"done"
    assert (again.runs, nested) == (0, [1, 1, 1])


def test_the_fingerprint_tells_routes_and_bodies_apart() -> None:
    pairs = [("/a", "b"), ("/b", "b"), ("/a", "c"), ("/a\nb", ""), ("", "/a\nb")]
    assert len({fingerprint(*pair) for pair in pairs}) == len(pairs)
