from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from haq.names import AgentName
from haq.search._base import Searcher, Trial
from haq.search.checkpointed import CheckpointedSearcher
from haq.search.searchers.agents import make_searcher
from haq.store import Store, open_store
from quant.policy import Policy
from tests.haq.search.searchers.problems import problem

EVERY, EPISODES, BATCH = 6, 30, 4
RUN = "1" * 32
PROBLEM = problem("free")
EARLIER = [Trial(PROBLEM.choices.widest, -0.5, {"kl": 0.5})]


@contextmanager
def new_store(path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{path}") as store:
        store.begin(RUN, {})
        yield store


class Counted:
    """A searcher that counts what it does itself."""

    def __init__(self, agent: AgentName) -> None:
        self.inner = make_searcher(agent, PROBLEM, EPISODES)
        self.asked = self.told = 0
        self.state, self.restore = self.inner.state, self.inner.restore

    def ask(self, n: int) -> list[Policy]:
        self.asked += n
        return self.inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += len(trials)
        self.inner.tell(trials)


def search(store: Store, agent: AgentName, stop_at: int, life: list[Counted]) -> list[Policy]:
    """The trials of a run that has begun or begins, until there are `stop_at` of them."""

    def make() -> Searcher:
        life.append(Counted(agent))
        return life[-1]

    trials = store.trials(RUN)
    recorded = [Policy.from_json(record) for record in trials.records]
    searcher = CheckpointedSearcher(make, EARLIER, store.checkpoints(RUN), recorded, EVERY)
    found: list[Policy] = []
    while len(found) < EPISODES:
        policies = searcher.ask(min(BATCH, EPISODES - len(found)))
        searcher.tell([Trial(p, -reward(p), {"kl": reward(p)}) for p in policies])
        for policy in policies:
            if len(found) == stop_at:
                return found
            found.append(policy)
            trials.put(len(found), policy.to_json())
    return found


def reward(policy: Policy) -> float:
    """Less with more bits."""
    return sum(1 / bits.weight + 1 / bits.activation for bits in policy.layers.values())


@pytest.fixture(params=["ddpg", "haq", "nsga2"])
def agent(request: pytest.FixtureRequest) -> AgentName:
    name: AgentName = request.param
    return name


@pytest.mark.parametrize("stop_at", [3, 9, 14, 29])
def test_a_run_that_was_stopped_goes_on_from_its_checkpoint(
    agent: AgentName, stop_at: int, tmp_path: Path
) -> None:
    lives: list[Counted] = []
    with new_store(tmp_path / "whole") as store:
        whole = search(store, agent, EPISODES, lives)
    with new_store(tmp_path / "run") as store:
        search(store, agent, stop_at, lives)
        saved = [episodes for episodes, _ in store.checkpoints(RUN).newest_first()]
        assert saved == [n for n in (24, 16, 8) if n <= stop_at][:2]
        assert search(store, agent, EPISODES, lives) == whole
    known = max(saved, default=0)
    assert lives[-1].asked == EPISODES - known
    assert lives[-1].told == EPISODES - known + (0 if known else len(EARLIER))


@pytest.mark.parametrize(("damaged", "known"), [(1, 16), (2, 0)])
def test_what_is_damaged_is_left_out(damaged: int, known: int, tmp_path: Path) -> None:
    lives: list[Counted] = []
    with new_store(tmp_path / "whole") as store:
        whole = search(store, "ddpg", EPISODES, lives)
        checkpoints = store.checkpoints(RUN)
        for episodes, data in list(checkpoints.newest_first())[:damaged]:
            checkpoints.put(episodes, data[: len(data) // 2])
        assert search(store, "ddpg", EPISODES, lives) == whole
    assert lives[-1].asked == EPISODES - known


def test_a_checkpoint_that_knows_more_than_the_run_is_left_out(tmp_path: Path) -> None:
    lives: list[Counted] = []
    with new_store(tmp_path / "whole") as store:
        whole = search(store, "ddpg", EPISODES, lives)
        kept = list(store.checkpoints(RUN).newest_first())
    with new_store(tmp_path / "run") as store:
        assert search(store, "ddpg", 17, lives) == whole[:17]
        for episodes, data in reversed(kept):
            store.checkpoints(RUN).put(episodes, data)
        assert search(store, "ddpg", EPISODES, lives) == whole
    assert lives[-1].asked == EPISODES - 16
