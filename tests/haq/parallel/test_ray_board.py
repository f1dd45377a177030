from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from haq.board import Fleet, Latency
from haq.prepare import upload
from haq.search.pause import PatientBoard
from quant.errors import BoardBusyError, BoardLostError, InputError
from quant.policy import Policy, uniform
from tests.haq.parallel.conftest import added
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.subjects import small_subject

pytest.importorskip("ray", reason="Ray is not installed")

from haq.parallel.cluster import connected
from haq.parallel.ray_board import RayBoard, has_board

SUBJECT = small_subject()
NAMES = SUBJECT.network.graph.layer_names
POLICIES = [uniform(NAMES, bits, bits) for bits in (8, 32)]


class Recording(SimulatedBoard):
    """Takes its time, and writes down when it began and ended to measure."""

    def __init__(self, folder: Path, seconds: float = 0.3) -> None:
        super().__init__()
        self.folder, self.seconds = folder, seconds

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Latency]:
        begin = time.time()
        time.sleep(self.seconds)
        found = super().measure(policies, **limits)
        (self.folder / f"{begin}.json").write_text(json.dumps([begin, time.time()]))
        return found


class Busy(SimulatedBoard):
    """Others have it."""

    def measure(self, policies: Sequence[Policy], **limits: Any) -> list[Latency]:
        raise BoardBusyError("the board is in use")


@pytest.fixture(scope="module")
def with_boards(begun_cluster: Any) -> Iterator[Any]:
    """This process on a cluster with the boards `pi` and `pi2`."""
    offered = {"board:pi": 1, "board:pi2": 1}
    with added(begun_cluster, resources=offered), connected(begun_cluster.address):
        yield begun_cluster


def recording(name: str, folder: Path) -> RayBoard:
    return RayBoard(name, partial(Recording, folder))


def test_a_board_of_a_cluster_answers_as_a_board_does(with_boards: Any, tmp_path: Path) -> None:
    board, alone = recording("pi", tmp_path), SimulatedBoard()
    upload(SUBJECT, alone)
    upload(SUBJECT, board)
    assert (has_board("pi"), has_board("absent")) == (True, False)
    assert not board.is_here
    assert board.describe() == alone.describe()
    assert board.capabilities() == alone.capabilities()
    assert board.measure(POLICIES, rel_ci=0.1) == alone.measure(POLICIES)
    assert board.profile(NAMES[:2]) == alone.profile(NAMES[:2])


def test_no_board_is_measured_twice_at_once(with_boards: Any, tmp_path: Path) -> None:
    boards = [recording("pi", tmp_path) for _ in range(3)]
    for board in boards:
        upload(SUBJECT, board)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda board: board.measure(POLICIES), boards))
    assert found[0] == found[1] == found[2]
    times = sorted(json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert len(times) == 3
    assert all(before[1] <= after[0] for before, after in pairwise(times))


def test_several_boards_share_the_work(with_boards: Any, tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir()
    (tmp_path / "pi2").mkdir()
    fleet = Fleet([recording(name, tmp_path / name) for name in ("pi", "pi2")])
    upload(SUBJECT, fleet)
    alone = SimulatedBoard()
    upload(SUBJECT, alone)
    assert fleet.measure(POLICIES) == alone.measure(POLICIES)
    assert all(len(list((tmp_path / name).glob("*.json"))) == 2 for name in ("pi", "pi2"))


def test_errors_of_the_board_come_through(
    with_boards: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BoardBusyError, match=r"^the board is in use$"):
        RayBoard("pi", Busy).measure(POLICIES)
    with pytest.raises(
        InputError, match=r"no board is called 'pi': .* add one by `haq boards add`"
    ):
        RayBoard("pi").describe()
    monkeypatch.setattr("haq.parallel.ray_board.LOOK_EVERY_S", 0.1)
    with pytest.raises(BoardLostError, match="no machine of the Ray cluster offers board:absent"):
        RayBoard("absent", Busy).describe()


def test_a_lost_machine_is_a_lost_board_which_a_search_waits_for(
    with_boards: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.parallel.ray_board.LOOK_EVERY_S", 0.2)
    monkeypatch.setattr("haq.search.pause.ASK_EVERY_S", 0.2)
    far = {"board:far": 1}
    told: list[str] = []
    slow = RayBoard("far", partial(Recording, tmp_path, seconds=3.0))
    board = PatientBoard(slow, 60, told.append)
    with ExitStack() as nodes, ThreadPoolExecutor(1) as pool:
        third = nodes.enter_context(added(with_boards, resources=far))
        upload(SUBJECT, board)
        answer = pool.submit(board.measure, POLICIES)
        time.sleep(1)
        with_boards.remove_node(third, allow_graceful=False)
        while not told:
            time.sleep(0.1)
        nodes.enter_context(added(with_boards, resources=far))
        assert len(answer.result()) == 2
    # It is lost before or after the question has reached it.
    assert told[0].startswith("paused: ")
    assert "board:far" in told[0]
    assert told[-1] == "the board answers again: going on"
