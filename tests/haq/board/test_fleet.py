from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from haq.board import Board, Device, Fleet, Latency, Profile, Status
from haq.board.agreement import controls
from haq.board.fleet import deal
from quant.errors import BoardBusyError, BoardError, BoardInvalidError, BoardLostError, InputError
from quant.graph import Floats
from quant.policy import Policy
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers
from tests.haq.simulated_board import SimulatedBoard


class FleetBoard(SimulatedBoard):
    """A simulated board with a number; `failure` is what every call ends in while it is set.

    `meeting` makes each measurement wait until the other boards measure, too; `bias` is added to
    every ratio.
    """

    def __init__(self, number: int) -> None:
        super().__init__(url=f"http://board-{number}")
        self.failure: BoardError | None = None
        self.meeting: Barrier | None = None
        self.bias = 0.0
        self.cpu = "simulated"
        self.together: list[bool] = []

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def describe(self) -> Device:
        return replace(super().describe(), cpu=self.cpu)

    def status(self) -> Status:
        self.check()
        return Status(None, 0, False, {})

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Latency]:
        self.check()
        if self.meeting is not None:
            self.meeting.wait(10)
        self.together.append(limits.get("together", False))
        return super().measure(policies, **limits)

    def latency(self, policy: Policy) -> Latency:
        found = super().latency(policy)
        bias = {k: getattr(found, k) + self.bias for k in ("ratio", "ratio_low", "ratio_high")}
        return replace(found, checksum=self.url, **bias)

    def profile(self, *asked: Any, **how: Any) -> Profile:
        self.check()
        return super().profile(*asked, **how)

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """Logits that say which policy and which image they are of."""
        self.check()
        ordinals = np.arange(len(policies), dtype=np.float32)[:, None]
        return np.stack([ordinals + images[:, 0, 0, 0], ordinals + 0 * images[:, 0, 0, 0]], axis=2)


def some(count: int) -> list[Policy]:
    return list(controls([*NAMES]).values())[:1] * count


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def boards() -> list[FleetBoard]:
    return [FleetBoard(number) for number in range(3)]


@pytest.fixture
def fleet(boards: list[FleetBoard], told: list[str]) -> Fleet:
    found = Fleet(boards, told.append)
    found.upload(small_layers(), RANGES, SHAPE)
    for board in boards:
        board.calls.clear()
        board.together.clear()
    told.clear()
    return found


def sizes(boards: list[FleetBoard]) -> list[list[int]]:
    return [[len(call) for call in board.calls] for board in boards]


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_boards_measure_their_shares_at_the_same_time(
    fleet: Fleet, boards: list[FleetBoard]
) -> None:
    meeting = Barrier(3)
    for board in boards:
        board.meeting = meeting
    found = fleet.measure(some(7), rel_ci=0.02)
    assert sizes(boards) == [[2], [3], [2]]
    owners = [latency.checksum for latency in found]
    assert owners == sorted(owners)
    assert len(set(owners)) == 3


def test_latencies_come_in_the_order_of_the_policies(fleet: Fleet) -> None:
    asked = [*controls([*NAMES]).values()] * 2
    expected = [SimulatedBoard.latency(simulated(), policy).ratio for policy in asked]
    assert [latency.ratio for latency in fleet.measure(asked)] == expected
    assert fleet.measure([]) == []


def simulated() -> SimulatedBoard:
    board = SimulatedBoard()
    board.upload(small_layers(), RANGES, SHAPE)
    return board


def test_what_must_stay_together_is_measured_on_one_board(
    fleet: Fleet, boards: list[FleetBoard]
) -> None:
    fleet.measure(some(7), together=True)
    assert sizes(boards) == [[7], [], []]
    boards[0].failure = BoardLostError("gone")
    fleet.measure(some(5), together=True)
    assert sizes(boards) == [[7], [5], []]
    assert boards[1].together == [True]


@pytest.mark.parametrize("kind", [BoardLostError, BoardBusyError])
def test_the_share_of_a_lost_board_is_done_by_the_others(
    kind: type[BoardError], fleet: Fleet, boards: list[FleetBoard], told: list[str]
) -> None:
    boards[1].failure = kind("board-1 was lost")
    found = fleet.measure(some(9))
    assert len(found) == 9
    assert sizes(boards) == [[3, 2], [], [3, 1]]
    assert told == ["board-1 was lost; the other boards do its share"]
    fleet.measure(some(4))
    assert sizes(boards)[1] == []


def test_a_board_that_is_back_works_again(
    fleet: Fleet, boards: list[FleetBoard], told: list[str]
) -> None:
    boards[0].failure = BoardLostError("gone")
    fleet.measure(some(6))
    boards[0].failure = None

    def is_back() -> bool:
        fleet.measure(some(6))
        return bool(boards[0].calls)

    until(is_back)
    assert "http://board-0 is back" in told
    assert sizes(boards)[0] == [2]


def test_without_any_board_it_is_lost_until_one_answers(
    fleet: Fleet, boards: list[FleetBoard]
) -> None:
    for board in boards:
        board.failure = BoardLostError(f"{board.url} was lost")
    for _ in range(2):
        with pytest.raises(BoardLostError, match=r"^all boards are lost, at last: http://board-\d"):
            fleet.measure(some(6))
    boards[2].failure = None
    assert len(fleet.measure(some(6))) == 6
    assert sizes(boards)[:2] == [[], []]


@pytest.mark.parametrize("together", [True, False])
def test_other_errors_are_those_of_the_work(
    together: bool, fleet: Fleet, boards: list[FleetBoard]
) -> None:
    boards[0].failure = BoardInvalidError("no layer ghost")
    with pytest.raises(BoardInvalidError, match=r"^no layer ghost$"):
        fleet.measure(some(6), together=together)


def test_a_profile_comes_from_one_board(fleet: Fleet, boards: list[FleetBoard]) -> None:
    boards[0].failure = BoardLostError("gone")
    assert set(fleet.profile(["stem"], rounds=5).layers) == {"stem"}
    assert [board.profiled for board in boards] == [[], ["stem"], []]


@pytest.mark.parametrize("lost", [False, True])
def test_images_are_split(lost: bool, fleet: Fleet, boards: list[FleetBoard]) -> None:
    boards[2].failure = BoardLostError("gone") if lost else None
    images = np.arange(8, dtype=np.uint8).repeat(3 * 16 * 16).reshape(8, *SHAPE)
    found = fleet.infer(some(2), images)
    assert found.shape == (2, 8, 2)
    assert np.array_equal(found[:, :, 0], [np.arange(8), np.arange(8) + 1])


def test_agreement_is_told_at_the_start(boards: list[FleetBoard], told: list[str]) -> None:
    boards[1].bias = 0.01
    fleet = Fleet(boards, told.append)
    assert fleet.upload(small_layers(), RANGES, SHAPE) == "simulated"
    assert len(told) == 1
    assert re.fullmatch(
        r"the ratios of 3 boards differ by 1\.\d% at most "
        r"\(\w+ \d+: 0\.\d+x on http://board-\d, 0\.\d+x on http://board-\d\)",
        told[0],
    )
    assert "http://board-1" in told[0]


def test_boards_that_disagree_are_not_used(boards: list[FleetBoard]) -> None:
    boards[1].bias = 0.1
    with pytest.raises(BoardError, match=r"do not agree.*x on http://board-\d.*http://board-\d"):
        Fleet(boards).upload(small_layers(), RANGES, SHAPE)


def test_boards_of_another_kind_are_not_used(boards: list[FleetBoard]) -> None:
    boards[2].cpu = "other"
    fleet = Fleet(boards)
    for ask in (fleet.describe, lambda: fleet.upload(small_layers(), RANGES, SHAPE)):
        with pytest.raises(InputError, match="cpu is 'simulated' at http://board-0 and 'other' at"):
            ask()
    assert sizes(boards) == [[], [], []]


def test_a_board_is_there_once(boards: list[FleetBoard]) -> None:
    with pytest.raises(InputError, match="named twice"):
        Fleet([*boards, boards[0]])


def test_what_the_boards_are(boards: list[FleetBoard]) -> None:
    with Fleet(boards) as fleet:
        assert fleet.describe() == boards[0].describe()
        assert fleet.capabilities() == boards[0].capabilities()


@cache
def some_boards() -> list[Board]:
    return [Board(f"http://board-{n}") for n in range(9)]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 9))
def test_shares_are_equal_and_in_order(count: int, boards: int) -> None:
    shares = deal(range(count), some_boards()[:boards])
    assert [item for share in shares.values() for item in share] == list(range(count))
    lengths = [len(share) for share in shares.values()]
    assert not lengths or max(lengths) - min(lengths) <= 1
    assert len(shares) == min(count, boards)
