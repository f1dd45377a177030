"""Searchers at equal numbers of evaluations, probes of the layers counted.

Every run is appended to a file as soon as it ends, and is not run again.

On the board HAQ's own walk, which narrows layers in turn until the bound is kept, does not get
there, since 16 bits are slower than float: it ends in the least policy, the same for each trial.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from bench.search.settings import Setting, make_setting
from haq.names import AgentName, RewardKind, StartName
from haq.search._base import Trial
from haq.search.harm import typical_kl
from haq.search.reward import make_reward
from haq.search.searchers.agents import make_searcher
from haq.search.searchers.planned import make_start
from haq.store.lines import read_lines

RUNS = Path(__file__).with_name("equal.jsonl")
SETTINGS = ("table", "size", "board")
BATCH = 8


@dataclass(frozen=True)
class Contender:
    """A searcher as it is compared; `knows_harm` where the probes count for it."""

    name: str
    agent: AgentName
    start: StartName = "cold"
    reward: RewardKind = "kl"
    knows_harm: bool = True


CONTENDERS = (
    Contender("random", "random", knows_harm=False),
    Contender("nsga2", "nsga2", knows_harm=False),
    Contender("greedy", "greedy"),
    Contender("ilp", "ilp"),
    Contender("ddpg, cold", "ddpg"),
    Contender("ddpg, warm", "ddpg", start="ilp"),
    Contender("haq, KL reward", "haq", knows_harm=False),
    Contender("haq", "haq", reward="top1", knows_harm=False),
)


@dataclass(frozen=True)
class Run:
    """KL of every trial in order; `probes` evaluations came before the first one."""

    setting: str
    contender: str
    seed: int
    probes: float
    kls: Sequence[float]
    seconds: float

    def best_within(self, evaluations: int) -> float:
        """Least KL among the trials that so many evaluations allow; infinite where none is."""
        return min(self.kls[: max(0, int(evaluations - self.probes))], default=float("inf"))

    def evaluations_to(self, kl: float) -> float:
        """Evaluations until a trial has at most this KL; infinite where none has."""
        found = (index for index, one in enumerate(self.kls) if one <= kl)
        return self.probes + 1 + next(found, float("inf"))


def run_all(
    evaluations: int, longest: int, seeds: Sequence[int], table: Path | None
) -> Iterator[Run]:
    """All runs, known ones first read; of each contender `evaluations` with its probes.

    HAQ's own agent gets `longest` with the first seed. Settings take turns, then contenders,
    then seeds, so that a bench that is stopped holds as much of each.
    """
    known = {(run.setting, run.contender, run.seed): run for run in read_runs()}
    for seed in seeds:
        for contender in CONTENDERS:
            for name in SETTINGS:
                key = (name, contender.name, seed)
                if key not in known:
                    long = contender.agent == "haq" and seed == seeds[0]
                    budget = longest if long else evaluations
                    known[key] = run_one(name, contender, seed, budget, table)
                    append(known[key])
                yield known[key]


def run_one(
    name: str, contender: Contender, seed: int, evaluations: int, table: Path | None
) -> Run:
    """One contender on one setting."""
    setting = kept_setting(name, table)
    probes = setting.probes if contender.knows_harm else 0.0
    start = time.perf_counter()
    kls = list(search(setting, contender, seed, int(evaluations - probes)))
    return Run(name, contender.name, seed, probes, kls, time.perf_counter() - start)


@cache
def kept_setting(name: str, table: Path | None) -> Setting:
    """A setting is made once."""
    return make_setting(name, table if name == "table" else None)


def search(setting: Setting, contender: Contender, seed: int, trials: int) -> Iterator[float]:
    """KL of every trial; fewer where the searcher has no more to propose."""
    problem = replace(setting.problem, seed=seed)
    scale = typical_kl(
        *(problem.choices, problem.model, problem.bound, problem.harm, np.random.default_rng(0))
    )
    reward = make_reward(contender.reward, setting.evaluator.float_top1, scale)
    searcher = make_searcher(contender.agent, problem, trials)
    first = make_start(contender.start, problem)
    done = 0
    while done < trials:
        room = min(BATCH, trials - done)
        policies = [first.policy] if first and not done else searcher.ask(room)
        if not policies:
            return
        scores = [setting.score(policy) for policy in policies]
        told = zip(policies, scores, strict=True)
        searcher.tell([Trial(p, reward(score), {"kl": score.kl}) for p, score in told])
        done += len(policies)
        yield from (score.kl for score in scores)


def read_runs() -> list[Run]:
    """What is known."""
    return [Run(**record) for record in read_lines(RUNS)]


def append(run: Run) -> None:
    """Keep a run."""
    with RUNS.open("a") as file:
        file.write(json.dumps(asdict(run)) + "\n")
