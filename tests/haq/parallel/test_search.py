"""Searches on every kind of workers, in their midst a machine that is lost."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from haq.cost import parse_budget
from haq.data import Splits
from haq.parallel import LocalWorkers, Make, StartWorkers, Workers
from haq.parallel.pool import PoolWorkers
from haq.prepare import Subject
from haq.progress import Silent
from haq.search.request import SearchRequest
from haq.search.run import load_subject, search_subject
from haq.store import RunFolder
from tests.haq.parallel.conftest import added
from tests.haq.search.runs import small_request
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found as known

SAME = ("trials.jsonl", "policy.json", "mbv2.ncnn.bin", "mbv2.onnx")


@dataclass(frozen=True)
class Search:
    """A search with races on the small network, and the folder of one in process."""

    request: SearchRequest
    subject: Subject
    splits: Splits
    whole: Path

    def run(self, path: Path, start: StartWorkers, progress: Silent | None = None) -> None:
        folder, board = RunFolder(path, "mbv2"), SimulatedBoard()
        given = self.request, self.subject, self.splits, folder, board
        with ExitStack() as stack:

            def closed(make: Make) -> Workers:
                return stack.enter_context(closing(start(make)))

            search_subject(*given, progress or Silent(), closed)

    def check(self, path: Path) -> None:
        for name in SAME:
            assert (path / name).read_bytes() == (self.whole / name).read_bytes(), name
        assert known(path / "store.sqlite") == known(self.whole / "store.sqlite")


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    folder, budget = tmp_path_factory.mktemp("inputs"), (parse_budget("size=0.5x"),)
    request = small_request(folder, 200, budget=budget, episodes=12, parallel=4)
    found = Search(request, *load_subject(request), folder / "whole")
    found.run(found.whole, LocalWorkers)
    return found


def test_processes_find_the_same(search: Search, tmp_path: Path) -> None:
    search.run(tmp_path / "run", lambda make: PoolWorkers(make, 2))
    search.check(tmp_path / "run")


def test_a_cluster_that_loses_a_machine_in_mid_search_finds_the_same(
    search: Search, begun_cluster: Any, tmp_path: Path
) -> None:
    from haq.parallel.cluster import connected
    from haq.parallel.ray_workers import RayWorkers

    class Reaper(Silent):
        """Kills a machine when the first episodes are done."""

        steps = 0

        def start(self, title: str, total: int) -> None:
            self.counts = title == "search"

        def advance(self, note: str = "") -> None:
            self.steps += self.counts
            if self.counts and self.steps == 5:
                begun_cluster.remove_node(second, allow_graceful=False)

    told: list[str] = []
    with added(begun_cluster) as second, connected(begun_cluster.address):
        start = lambda make: RayWorkers(make, 2, told.append)  # noqa: E731
        search.run(tmp_path / "run", start, Reaper())
    # A busy machine may also be slow to start workers, which is told, too.
    lost = [text for text in told if "waiting for" not in text]
    assert lost == ["a worker of the Ray cluster is lost: its work is done again"]
    search.check(tmp_path / "run")
