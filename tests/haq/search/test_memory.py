from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from haq.parallel import Task
from haq.search.memory import RememberedEvaluator, RememberedImages, RememberedMeter
from quant.errors import BoardError
from quant.evaluate import Measured, Score, Seen
from quant.policy import Bits, Policy
from tests.haq.search.doubles import HarmEvaluator, tied
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import entries_at, known_keys

HARM = {f"l{i}": {Bits(b, b): 0.01 * i / b for b in (8, 16, 32)} for i in range(3)}
LIMITS: Mapping[str, Mapping[str, Any]] = {"search": {"rel_ci": 0.02}, "final": {"rel_ci": 0.01}}
SOME = [tied(8, 8, 8), tied(8, 16, 32), tied(32, 32, 32)]


class Steps:
    """Notes what progress says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, title: str, total: int) -> None:
        self.notes.clear()

    def advance(self, note: str = "") -> None:
        self.notes.append(note)

    def note(self, text: str) -> None:
        self.notes.append(text)


class LimitedBoard(SimulatedBoard):
    """Notes the limits of its measurements."""

    def __init__(self) -> None:
        super().__init__()
        self.names = ("l0", "l1", "l2")
        self.limits: list[dict[str, Any]] = []

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Any]:
        self.limits.append(limits)
        return super().measure(policies)


def evaluator_on(path: Path, part: str = "probe") -> tuple[RememberedEvaluator, HarmEvaluator]:
    inner = HarmEvaluator(HARM)
    return RememberedEvaluator(inner, entries_at(path, part), Steps()), inner


def test_a_policy_is_scored_once(tmp_path: Path) -> None:
    evaluator, inner = evaluator_on(tmp_path / "store.sqlite")
    first = evaluator.score([*SOME, *SOME])
    assert first[:3] == first[3:] == [inner.one(policy) for policy in SOME]
    assert evaluator.score(SOME[::-1]) == first[2::-1]
    assert inner.asked == SOME
    assert evaluator.float_top1 == inner.float_top1


def test_scores_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first = evaluator_on(path)[0].score(SOME)
    evaluator, inner = evaluator_on(path)
    assert evaluator.score([*SOME, tied(16, 16, 16)])[:3] == first
    assert inner.asked == [tied(16, 16, 16)]
    assert len(known_keys(path)) == 4


def test_the_order_of_the_layers_makes_no_other_policy(tmp_path: Path) -> None:
    evaluator, inner = evaluator_on(tmp_path / "store.sqlite")
    reversed_layers = Policy(dict(reversed(list(SOME[1].layers.items()))))
    assert evaluator.score([SOME[1]]) == evaluator.score([reversed_layers])
    assert len(inner.asked) == 1


def test_parts_of_the_data_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    evaluator_on(path, "validation")[0].score(SOME)
    evaluator, inner = evaluator_on(path, "test")
    evaluator.score(SOME)
    assert inner.asked == SOME


def test_every_answer_is_a_step_of_progress(tmp_path: Path) -> None:
    steps = Steps()
    entries = entries_at(tmp_path / "store.sqlite")
    evaluator = RememberedEvaluator(HarmEvaluator(HARM), entries, steps)
    evaluator.score([SOME[0], SOME[2], SOME[0]])
    assert len(steps.notes) == 3
    assert steps.notes[0] == steps.notes[2] == "KL 0.0037"


def test_what_an_interrupted_score_had_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"

    class Interrupted(HarmEvaluator):
        def each(self, policies: Sequence[Policy]) -> Iterator[Score]:
            for policy in policies:
                if policy == SOME[2]:
                    raise KeyboardInterrupt
                yield self.one(policy)

    interrupted = Interrupted(HARM)
    scorer = SimpleNamespace(float_top1=0.9, score=interrupted.each)
    with pytest.raises(KeyboardInterrupt):
        RememberedEvaluator(scorer, entries_at(path), Steps()).score(SOME)
    evaluator, inner = evaluator_on(path)
    evaluator.score(SOME)
    assert inner.asked == SOME[2:]


@dataclass
class Lookout:
    """Sees numbers that no decimal text is exact for; notes what it is asked."""

    asked: list[tuple[str, list[int]]] = field(default_factory=list)

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        for policy, rows in tasks:
            self.asked.append((policy.key(), rows.tolist()))
            seed = int(policy.key()[:8], 16)
            kl = np.random.default_rng(seed).exponential(size=100)[rows] / 3
            metric = Measured("f1", 1 / 3) if len(rows) == 100 else None
            yield Seen(kl, rows % 2 / 1, rows % 7 / 7, metric)


def test_no_slice_runs_twice_and_all_outlive_the_process(tmp_path: Path) -> None:
    path, order = tmp_path / "store.sqlite", np.random.default_rng(0).permutation(100)
    slices = [order[:10], order[10:11], order[11:], np.arange(100)]
    first, again = Lookout(), Lookout()
    see = RememberedImages(first, entries_at(path))
    tasks = list(product(SOME, slices))
    found = list(see([*tasks, tasks[0]]))
    assert [first.asked, len(found)] == [[(p.key(), rows.tolist()) for p, rows in tasks], 13]
    for known in (see, RememberedImages(again, entries_at(path))):
        for seen, one in zip(found, known([*tasks, tasks[0]]), strict=True):
            assert np.array_equal(one.kl, seen.kl)
            assert np.array_equal(one.right, seen.right)
            assert np.array_equal(one.same, seen.same)
            assert one.metric == seen.metric
    assert (len(first.asked), again.asked) == (12, [])


def test_what_an_interrupted_slice_had_before_it_is_kept(tmp_path: Path) -> None:
    path, rows, lookout = tmp_path / "store.sqlite", np.arange(3), Lookout()

    def interrupted(tasks: Sequence[Task]) -> Iterator[Seen]:
        yield from Lookout()(tasks[:2])
        raise KeyboardInterrupt

    tasks = [(policy, rows) for policy in SOME]
    with pytest.raises(KeyboardInterrupt):
        RememberedImages(interrupted, entries_at(path))(tasks)
    assert len(list(RememberedImages(lookout, entries_at(path))(tasks))) == 3
    assert [key for key, _ in lookout.asked] == [SOME[2].key()]


def test_other_rows_and_other_images_are_other_questions(tmp_path: Path) -> None:
    path, lookout = tmp_path / "store.sqlite", Lookout()
    see = RememberedImages(lookout, entries_at(path))
    for rows in ([1, 2, 3], [3, 2, 1], [1, 2]):
        (seen,) = see([(SOME[0], np.array(rows))])
        assert len(seen) == len(rows)
    RememberedImages(lookout, entries_at(path, "test"))([(SOME[0], np.array([1, 2]))])
    assert [rows for _, rows in lookout.asked] == [[1, 2, 3], [3, 2, 1], [1, 2], [1, 2]]


def test_a_policy_is_measured_once_for_each_purpose(tmp_path: Path) -> None:
    board = LimitedBoard()
    meter = RememberedMeter(board, entries_at(tmp_path / "store.sqlite"), LIMITS)
    first = meter.measure([*SOME, SOME[0]], "search")
    assert first == [board.latency(policy) for policy in (*SOME, SOME[0])]
    assert meter.measure(SOME[1:], "search") == first[1:3]
    meter.measure(SOME, "final")
    assert [len(call) for call in board.calls] == [3, 3]
    assert board.limits == [LIMITS["search"], LIMITS["final"]]


def test_only_what_is_new_is_measured_and_in_one_batch(tmp_path: Path) -> None:
    board = LimitedBoard()
    meter = RememberedMeter(board, entries_at(tmp_path / "store.sqlite"), LIMITS)
    meter.measure(SOME[:1], "search")
    meter.measure(SOME, "search")
    assert board.calls == [[SOME[0].key()], [policy.key() for policy in SOME[1:]]]


def test_latencies_outlive_the_process(tmp_path: Path) -> None:
    path, board = tmp_path / "store.sqlite", LimitedBoard()
    first = RememberedMeter(board, entries_at(path), LIMITS).measure(SOME, "search")
    again = LimitedBoard()
    assert RememberedMeter(again, entries_at(path), LIMITS).measure(SOME, "search") == first
    assert again.calls == []


def test_a_lost_board_leaves_no_half_batch(tmp_path: Path) -> None:
    path, board = tmp_path / "store.sqlite", SimulatedBoard(lost_at=2)
    board.names = ("l0", "l1", "l2")
    meter = RememberedMeter(board, entries_at(path), LIMITS)
    meter.measure(SOME[:1], "search")
    with pytest.raises(BoardError, match="was lost"):
        meter.measure(SOME, "search")
    assert known_keys(path) == [("latency/search", SOME[0].key())]


class Gated(LimitedBoard):
    """Measures when the gate is open; says when it has begun."""

    def __init__(self, is_here: bool) -> None:
        super().__init__()
        self.is_here = is_here
        self.begun, self.gate = Event(), Event()

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Any]:
        self.begun.set()
        assert self.gate.wait(10)
        return super().measure(policies, **limits)


def test_a_board_elsewhere_measures_meanwhile_and_is_remembered_when_waited_for(
    tmp_path: Path,
) -> None:
    board, path = Gated(is_here=False), tmp_path / "store.sqlite"
    wait = RememberedMeter(board, entries_at(path), LIMITS).begin(SOME, "search")
    assert board.begun.wait(10)
    assert known_keys(path) == []
    board.gate.set()
    assert wait() == [board.latency(policy) for policy in SOME]
    assert len(known_keys(path)) == len(SOME)


def test_a_board_on_this_machine_is_left_alone_until_it_is_waited_for(tmp_path: Path) -> None:
    board = Gated(is_here=True)
    board.gate.set()
    wait = RememberedMeter(board, entries_at(tmp_path / "store.sqlite"), LIMITS).begin(
        SOME, "search"
    )
    assert not board.begun.wait(0.1)
    assert wait() == [board.latency(policy) for policy in SOME]


def test_errors_of_a_board_elsewhere_come_when_it_is_waited_for(tmp_path: Path) -> None:
    path, board = tmp_path / "store.sqlite", SimulatedBoard(lost_at=1)
    board.names = ("l0", "l1", "l2")
    wait = RememberedMeter(board, entries_at(path), LIMITS).begin(SOME, "search")
    with pytest.raises(BoardError, match="was lost"):
        wait()
    assert known_keys(path) == []
