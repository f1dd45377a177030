from __future__ import annotations

from collections.abc import Sequence

from haq.board import Latency
from haq.search._base import Trial
from haq.search.loop import Outcome, Start, Wait, run_episodes
from haq.search.reward import make_reward
from haq.search.state import State
from quant.evaluate import Score
from quant.policy import Bits, Policy
from tests.haq.search.doubles import HarmEvaluator, latency, tied

START = Start("walk", tied(32, 32, 32))
HARM = {f"l{i}": {Bits(b, b): 0.01 * (i + 1) / b for b in (8, 16, 32)} for i in range(3)}
WIDTHS = (8, 16, 32)


class CountingSearcher:
    """Proposes all policies in turn, and keeps the order of what happens to it."""

    def __init__(self, last: int = 1000) -> None:
        self.last = last
        self.events: list[str] = []
        self.told: list[Trial] = []
        self.count = 0

    def ask(self, n: int) -> list[Policy]:
        self.events.append(f"ask {n}")
        first = self.count
        self.count = min(self.last, self.count + n)
        return [policy_number(i) for i in range(first, self.count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.events.append(f"tell {len(trials)}")
        self.told += trials

    def state(self) -> State:
        return State({}, {"count": self.count})

    def restore(self, state: State) -> None:
        self.count = state.values["count"]


def policy_number(index: int) -> Policy:
    return tied(WIDTHS[index % 3], WIDTHS[index // 3 % 3], WIDTHS[index // 9 % 3])


def run(
    searcher: CountingSearcher, episodes: int, batch: int, start: Start | None
) -> list[Outcome]:
    def measure(policies: list[Policy]) -> Wait:
        searcher.events.append(f"measure {len(policies)}")

        def wait() -> list[Latency]:
            searcher.events.append("wait")
            return [latency(0.9) for _ in policies]

        return wait

    class NotedEvaluator(HarmEvaluator):
        def score(self, policies: Sequence[Policy]) -> list[Score]:
            searcher.events.append(f"score {len(policies)}")
            return super().score(policies)

    reward = make_reward("kl", 0.9, 0.01)
    evaluator = NotedEvaluator(HARM)
    found = run_episodes(searcher, evaluator, reward, cost, measure, episodes, batch, start, "ddpg")
    return list(found)


def cost(policy: Policy) -> float:
    return sum(bits.weight for bits in policy.layers.values()) / 96


def test_the_start_comes_first_and_counts_as_an_episode() -> None:
    searcher = CountingSearcher()
    outcomes = run(searcher, episodes=10, batch=4, start=START)
    assert [o.episode for o in outcomes] == list(range(1, 11))
    assert [o.origin for o in outcomes] == ["walk"] + ["ddpg"] * 9
    assert outcomes[0].policy == tied(32, 32, 32)
    assert [o.policy for o in outcomes[1:]] == [policy_number(i) for i in range(9)]


def test_batches_are_asked_measured_and_told_whole() -> None:
    """They are scored after the board has begun, and before it is waited for."""
    searcher = CountingSearcher()
    run(searcher, episodes=10, batch=4, start=START)
    assert searcher.events == [
        *("measure 1", "score 1", "wait", "tell 1"),
        *("ask 4", "measure 4", "score 4", "wait", "tell 4") * 2,
        *("ask 1", "measure 1", "score 1", "wait", "tell 1"),
    ]


def test_the_searcher_is_told_what_was_scored() -> None:
    searcher = CountingSearcher()
    outcomes = run(searcher, episodes=7, batch=3, start=None)
    assert [(t.policy, t.reward) for t in searcher.told] == [(o.policy, o.reward) for o in outcomes]
    assert [t.score["kl"] for t in searcher.told] == [o.score.kl for o in outcomes]
    for outcome in outcomes:
        assert outcome.score == HarmEvaluator(HARM).one(outcome.policy)
        assert outcome.reward == -outcome.score.kl / 0.01
        assert outcome.cost == cost(outcome.policy)
        assert outcome.latency == latency(0.9)


def test_the_start_alone_may_be_all() -> None:
    searcher = CountingSearcher()
    outcomes = run(searcher, episodes=1, batch=8, start=START)
    assert [o.policy for o in outcomes] == [START.policy]
    assert searcher.count == 0


def test_a_searcher_that_has_no_more_ends_the_search() -> None:
    searcher = CountingSearcher(last=5)
    outcomes = run(searcher, episodes=20, batch=4, start=None)
    assert [o.policy for o in outcomes] == [policy_number(i) for i in range(5)]
