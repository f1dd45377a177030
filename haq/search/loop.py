"""The search itself: ask, score, measure, tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from haq.board import Latency
from haq.search._base import Searcher, Trial
from haq.search.memory import Evaluator
from haq.search.reward import Reward
from quant.evaluate import Score
from quant.policy import Policy

Wait = Callable[[], Sequence[Latency | None]]
Measure = Callable[[list[Policy]], Wait]
"""Lets a board begin to measure; what is returned gives the latencies in order."""


@dataclass(frozen=True)
class Start:
    """The policy to begin with, and who made it."""

    origin: str
    policy: Policy


@dataclass(frozen=True)
class Outcome:
    """An episode: its number from 1, who proposed the policy, what it scored, cost and earned.

    `within` names the bound of another search of the same sweep, where the episode is one of that.
    """

    episode: int
    origin: str
    policy: Policy
    score: Score
    cost: float
    reward: float
    latency: Latency | None
    within: str | None = None


def run_episodes(
    searcher: Searcher,
    evaluator: Evaluator,
    reward: Reward,
    cost: Callable[[Policy], float],
    measure: Measure,
    episodes: int,
    batch: int,
    start: Start | None,
    agent: str,
) -> Iterator[Outcome]:
    """Yield the outcomes of `episodes` episodes, fewer where the searcher has no more to propose.

    The first one is the `start`, if there is any, and counts too. `batch` episodes are asked for
    at a time, so that the board can measure them interleaved, while they are scored together;
    `cost` is what the model predicts when the policy is proposed; `agent` is the origin of what
    the searcher proposes.
    """
    done = 0
    while done < episodes:
        first = start if done == 0 else None
        origin = first.origin if first else agent
        policies = [first.policy] if first else searcher.ask(min(batch, episodes - done))
        if not policies:
            return
        costs = [cost(policy) for policy in policies]
        wait = measure(policies)
        scores = evaluator.score(policies)
        latencies = wait()
        rewards = [reward(score) for score in scores]
        told = zip(policies, rewards, scores, strict=True)
        searcher.tell([Trial(p, r, {"kl": score.kl}) for p, r, score in told])
        rows = zip(policies, scores, costs, rewards, latencies, strict=True)
        for policy, score, predicted, earned, latency in rows:
            done += 1
            yield Outcome(done, origin, policy, score, predicted, earned, latency)
