"""What an episode costs the one process that proposes and decides, evaluations taken out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from env.actions import Choices, free_choices
from haq.cost import size_cost
from haq.names import AgentName
from haq.parallel import Task
from haq.prepare import load_graph
from haq.search._base import Searcher, Trial
from haq.search.loop import Wait, run_episodes
from haq.search.memory import RememberedImages
from haq.search.problem import Limit, Problem
from haq.search.racing import RacingEvaluator
from haq.search.reward import make_reward
from haq.search.searchers.agents import make_searcher
from haq.search.state import State
from haq.store import open_store
from quant.evaluate import Score, Seen
from quant.policy import SIMULATED_BITS, Policy

IMAGES, CLASSES = 1000, 10
SHARE_OF_SIZE = 0.15
CASES: tuple[tuple[AgentName, int, int], ...] = (
    *(("ddpg", 8, 120), ("ddpg", 64, 128)),
    *(("random", 8, 120), ("random", 64, 512), ("random", 512, 1024)),
)
"""Agents, episodes at once, episodes."""


@dataclass
class Formula:
    """Says at once what a policy does to images: noise that halves with every bit."""

    seconds: float = 0.0
    images: int = 0
    tasks: int = 0

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        for policy, rows in tasks:
            begin = time.perf_counter()
            rng = np.random.default_rng(int(policy.key()[:8], 16))
            size = sum(2.0 ** -(b.weight + b.activation) for b in policy.layers.values())
            kl, right = rng.exponential(size=IMAGES)[rows], rng.integers(2, size=len(rows)) / 1
            seen = Seen(size * kl, right, right)
            self.seconds += time.perf_counter() - begin
            self.images += len(rows)
            self.tasks += 1
            yield seen


@dataclass
class Timed:
    """A searcher, and the seconds of a core that it takes: others may work on the machine."""

    inner: Searcher
    seconds: float = 0.0

    def ask(self, n: int) -> list[Policy]:
        begin = time.process_time()
        found = self.inner.ask(n)
        self.seconds += time.process_time() - begin
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        begin = time.process_time()
        self.inner.tell(trials)
        self.seconds += time.process_time() - begin

    def state(self) -> State:
        return self.inner.state()

    def restore(self, state: State) -> None:
        self.inner.restore(state)


@dataclass
class TimedEvaluator:
    """An evaluator, and the seconds that it takes."""

    inner: RacingEvaluator
    seconds: float = field(default=0.0)

    @property
    def float_top1(self) -> float:
        return self.inner.float_top1

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        begin = time.perf_counter()
        found = self.inner.score(policies)
        self.seconds += time.perf_counter() - begin
        return found


def measure_driver() -> dict[str, Any]:
    """Seconds of an episode by agent and number of episodes at once."""
    return {
        f"{agent}, {batch} at once": time_episodes(agent, batch, episodes)
        for agent, batch, episodes in CASES
    }


def time_episodes(agent: AgentName, batch: int, episodes: int) -> dict[str, float]:
    """Of an episode: a core's seconds to propose and learn, seconds to decide races and write."""
    problem, see = make_problem(), Formula()
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (IMAGES, CLASSES)).astype(np.float32)
    searcher = Timed(make_searcher(agent, problem, episodes))
    with TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/store.sqlite") as store:
        remembered = RememberedImages(see, store.evaluations("bench"))
        evaluator = TimedEvaluator(RacingEvaluator(remembered, logits, logits.argmax(1)))
        reward = make_reward("kl", 1.0, 1.0)
        outcomes = run_episodes(
            *(searcher, evaluator, reward, problem.model.cost, measure_nothing),
            *(episodes, batch, None, agent),
        )
        done = len(list(outcomes))
    return {
        "searcher_s": searcher.seconds / done,
        "race_and_store_s": (evaluator.seconds - see.seconds) / done,
        "images": see.images / done,
        "tasks": see.tasks / done,
    }


def measure_nothing(policies: list[Policy]) -> Wait:
    """There is no board."""
    return lambda: [None] * len(policies)


def make_problem() -> Problem:
    """MobileNetV2 at 2 to 8 bits within a share of its size; harms halve with every bit."""
    graph = load_graph("mbv2", None, 32, "torch")
    choices = free_choices(graph.layer_names, SIMULATED_BITS)
    model = size_cost(graph, choices)
    bound = SHARE_OF_SIZE * sum(layer.weight_count * 4 for layer in graph.layers)
    return Problem(graph, choices, model, bound, harm_of(choices), (Limit(model, bound),))


def harm_of(choices: Choices) -> dict[str, Any]:
    """By layer and bits."""
    return {
        name: {b: 2.0**-b.weight + 2.0**-b.activation for b in choices.alternatives(name)}
        for name in choices.names
    }
