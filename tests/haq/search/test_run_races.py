"""Searches with races, stopped in the middle of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from haq.cost import parse_budget
from haq.progress import Silent
from haq.search._base import Trial
from haq.search.racing import PILOTS
from haq.search.request import SearchRequest
from haq.search.run import run_search
from haq.search.searchers.ddpg import DdpgSearcher
from haq.store import RunFolder
from haq.store.run_folder import read_json
from tests.haq.search.runs import same_run, small_request, stop_evaluation, trials
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found


def search(request: SearchRequest, path: Path) -> Any:
    return run_search(request, RunFolder(path, "mbv2"), SimulatedBoard(), Silent())


@pytest.fixture(scope="module")
def racing_request(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    """Enough images and episodes that some policies stop early."""
    budget = (parse_budget("size=0.5x"),)
    return small_request(tmp_path_factory.mktemp("inputs"), 200, budget=budget, episodes=17)


@dataclass(frozen=True)
class Raced:
    """A folder of a search with races, and what it ran on images, in order."""

    path: Path
    asked: list[str]

    @property
    def episodes(self) -> list[int]:
        """Numbers, from 1, of the runs on some of the images; those of the probes come before."""
        rows = found(self.path / "store.sqlite")["evaluations"]
        probes = sum(row[:2] == (rows[0][0], "score") for row in rows)
        return [i for i, text in enumerate(self.asked, 1) if not text.endswith("[]")][probes:]


@pytest.fixture(scope="module")
def raced(racing_request: SearchRequest, tmp_path_factory: pytest.TempPathFactory) -> Raced:
    path = tmp_path_factory.mktemp("runs") / "raced"
    with pytest.MonkeyPatch.context() as patch:
        asked = stop_evaluation(patch, stop_at=0)
        search(racing_request, path)
    return Raced(path, asked)


def same_race(one: Path, other: Path) -> bool:
    """Whether two folders hold the same result, from the same measurements in the same order."""
    return same_run(one, other) and found(one / "store.sqlite") == found(other / "store.sqlite")


def test_episodes_race_and_the_winner_is_rated_on_all_images(raced: Raced) -> None:
    rows = trials(raced.path)
    images = [trial["images"] for trial in rows]
    assert images[:PILOTS] == [100] * PILOTS
    assert min(images) < 100
    whole = [trial for trial in rows if trial["images"] == 100]
    best = min(whole, key=lambda trial: float(trial["kl"]))
    assert best["policy"] == read_json(raced.path / "policy.json")
    details = read_json(raced.path / "summary.json")["details"]
    agents = [trial["kl"] for trial in whole if trial["origin"] == "ddpg"]
    assert details["agents_best_kl"] == min(agents)


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_race_stopped_within_a_batch_goes_on(
    racing_request: SearchRequest,
    raced: Raced,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    stop_at = raced.episodes[round(share * (len(raced.episodes) - 1))]
    asked = stop_evaluation(monkeypatch, stop_at)
    with pytest.raises(KeyboardInterrupt):
        search(racing_request, tmp_path / "run")
    search(racing_request, tmp_path / "run")
    assert same_race(raced.path, tmp_path / "run")
    assert asked[: stop_at - 1] + asked[stop_at:] == raced.asked


def test_a_race_stopped_between_batches_goes_on(
    racing_request: SearchRequest, raced: Raced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, told = DdpgSearcher.tell, []

    def interrupted(self: DdpgSearcher, batch_of: Sequence[Trial]) -> None:
        told.append(len(batch_of))
        if len(told) == 2:
            raise KeyboardInterrupt
        tell(self, batch_of)

    monkeypatch.setattr(DdpgSearcher, "tell", interrupted)
    asked = stop_evaluation(monkeypatch, stop_at=0)
    with pytest.raises(KeyboardInterrupt):
        search(racing_request, tmp_path / "run")
    search(racing_request, tmp_path / "run")
    assert same_race(raced.path, tmp_path / "run")
    assert asked == raced.asked
