from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stamina

from haq.board import Board
from haq.search import pause
from haq.search.pause import PatientBoard
from quant.errors import BoardBusyError, BoardError, BoardInvalidError, BoardLostError
from quant.policy import uniform
from tests.device_agent.conftest import KEY
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers
from tests.haq.mortal import Killer, mortal
from tests.haq.simulated_board import SimulatedBoard

POLICIES = [uniform(NAMES, 8, 8)]


@dataclass
class Clock:
    """Time that passes only while somebody sleeps; `wake` is called after each sleep."""

    now: float = 0.0
    wake: Callable[[], None] = field(default=lambda: None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wake()

    def read(self) -> float:
        return self.now


def patient(board: Board, patience_s: float, told: list[str], clock: Clock) -> PatientBoard:
    found = PatientBoard(board, patience_s, told.append, clock.sleep, clock.read)
    found.upload(small_layers(), RANGES, SHAPE)
    return found


def test_a_board_that_comes_back_is_asked_only_what_was_lost() -> None:
    board, told, clock = SimulatedBoard(lost_at=2), list[str](), Clock()
    waiting = patient(board, 60, told, clock)
    first = waiting.measure(POLICIES)

    def come_back() -> None:
        board.lost_at = None if clock.now >= 3 * pause.ASK_EVERY_S else 2

    clock.wake = come_back
    assert waiting.measure(POLICIES) == first
    assert clock.now == 3 * pause.ASK_EVERY_S
    assert len(board.calls) == 2
    assert told == [
        "paused: the device agent was lost; asking again for 1 min",
        "the board answers again: going on",
    ]


def test_patience_has_an_end() -> None:
    board, told, clock = SimulatedBoard(lost_at=1), list[str](), Clock()
    with pytest.raises(BoardLostError, match="the device agent was lost"):
        patient(board, 60, told, clock).measure(POLICIES)
    assert clock.now == 60
    assert told == ["paused: the device agent was lost; asking again for 1 min"]


def test_each_pause_has_its_own_limit() -> None:
    board, told, clock = SimulatedBoard(lost_at=1), list[str](), Clock()
    waiting = patient(board, 60, told, clock)
    clock.wake = lambda: setattr(board, "lost_at", None)
    for _ in range(30):
        board.lost_at = len(board.calls) + 1
        waiting.measure(POLICIES)
    assert clock.now > 60


def test_no_patience_is_no_pause() -> None:
    board, told, clock = SimulatedBoard(lost_at=1), list[str](), Clock()
    with pytest.raises(BoardLostError):
        patient(board, 0, told, clock).measure(POLICIES)
    assert (clock.now, told) == (0, [])


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (BoardLostError("x"), True),
        (BoardBusyError("x"), True),
        (BoardInvalidError("x"), False),
        (BoardError("x"), False),
    ],
)
def test_only_what_may_pass_is_waited_for(error: BoardError, pauses: bool) -> None:
    class Failing(SimulatedBoard):
        def profile(self, *asked: object, **how: object) -> object:  # type: ignore[override]
            raise error

    told, clock = list[str](), Clock()
    with pytest.raises(type(error)):
        patient(Failing(), 60, told, clock).profile(["stem"])
    assert bool(told) == pauses


def test_a_board_that_never_answered_is_not_waited_for() -> None:
    told, clock = list[str](), Clock()
    board = PatientBoard(Board("http://127.0.0.1:9"), 60, told.append, clock.sleep, clock.read)
    for ask in (board.describe, board.capabilities):
        with pytest.raises(BoardLostError):
            ask()
    assert (clock.now, told) == (0, [])


def test_a_killed_agent_that_starts_empty_gets_the_network_and_the_measurement_again(
    tmp_path: Path,
) -> None:
    told, clock = list[str](), Clock()
    with mortal(tmp_path) as agent:
        transport = Killer(agent, kill_at={2}, delay_s=0.3)
        clock.wake = agent.live
        with Board(agent.url, KEY, transport) as board, stamina.set_testing(True, attempts=2):
            waiting = patient(board, 60, told, clock)
            waiting.measure(POLICIES, rel_ci=0.5, min_rounds=4, max_rounds=8)
            (latency,) = waiting.measure(POLICIES, rel_ci=1e-9, max_rounds=10_000, max_seconds=1.5)
    assert latency.rounds >= 20
    assert len(agent.lives) == 2
    assert told[0].startswith("paused: ")
    assert told[1:] == ["the board answers again: going on"]
