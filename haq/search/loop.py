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

Measure = Callable[[list[Policy]], Sequence[Latency | None]]


@dataclass(frozen=True)
class Outcome:
    """An episode: its number from 1, who proposed the policy, what it scored, cost and earned."""

    episode: int
    origin: str
    policy: Policy
    score: Score
    cost: float
    reward: float
    latency: Latency | None


def run_episodes(
    searcher: Searcher,
    evaluator: Evaluator,
    reward: Reward,
    cost: Callable[[Policy], float],
    measure: Measure,
    episodes: int,
    batch: int,
    seeds: list[Policy],
) -> Iterator[Outcome]:
    """Yield the outcomes of `episodes` episodes, after those of the `seeds`, which count too.

    `batch` episodes are asked for at a time, so that the board can measure them interleaved;
    `cost` is what the model predicts when the policy is proposed.
    """
    done = 0
    while done < episodes:
        origin = "walk" if done == 0 and seeds else "ddpg"
        room = min(batch, episodes - done)
        policies = seeds[:room] if origin == "walk" else searcher.ask(room)
        costs = [cost(policy) for policy in policies]
        scores = evaluator.score(policies)
        latencies = measure(policies)
        rewards = [reward(score) for score in scores]
        searcher.tell([Trial(p, r) for p, r in zip(policies, rewards, strict=True)])
        rows = zip(policies, scores, costs, rewards, latencies, strict=True)
        for policy, score, predicted, earned, latency in rows:
            done += 1
            yield Outcome(done, origin, policy, score, predicted, earned, latency)
