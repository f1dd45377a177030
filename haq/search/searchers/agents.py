"""Searchers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from env.walk_back import walk_back
from haq.names import AgentName
from haq.search._base import Searcher
from haq.search.problem import Problem
from haq.search.searchers.ddpg import HAQ, DdpgConstants, DdpgSearcher, MakeAgent, make_agent
from haq.search.searchers.guided import GuidedSearcher
from haq.search.searchers.nsga2 import Nsga2Searcher
from haq.search.searchers.planned import greedy_searcher, ilp_searcher
from haq.search.searchers.sampled import RandomSearcher
from haq.search.searchers.stable import make_sac, make_td3
from haq.search.searchers.uniform import UniformSearcher
from quant.graph import Floats


def make_searcher(name: AgentName, problem: Problem, episodes: int) -> Searcher:
    """A searcher for a number of episodes, of which a quarter at most are its warm-up.

    Raises BudgetError where it can propose nothing, InputError where a package is missing.
    """
    constants = replace(HAQ, warmup=min(HAQ.warmup, episodes // 4))
    makers: Mapping[AgentName, Callable[[], Searcher]] = {
        "ddpg": lambda: GuidedSearcher(own_agent(problem, constants), problem),
        "haq": lambda: agent_on(problem, constants, fit=walk_back),
        "td3": lambda: own_agent(problem, constants, make_td3),
        "sac": lambda: own_agent(problem, constants, make_sac),
        "uniform": lambda: UniformSearcher(problem),
        "random": lambda: RandomSearcher(problem),
        "greedy": lambda: greedy_searcher(problem),
        "ilp": lambda: ilp_searcher(problem),
        "nsga2": lambda: Nsga2Searcher(problem),
    }
    return makers[name]()


def own_agent(
    problem: Problem, constants: DdpgConstants, make: MakeAgent = make_agent
) -> DdpgSearcher:
    """An agent that also sees harm and cost of every layer, and walks by both."""
    return agent_on(problem, constants, more=shares(problem), make=make)


def agent_on(problem: Problem, constants: DdpgConstants, **how: Any) -> DdpgSearcher:
    """An agent on the problem; HAQ's own but for `how`, arguments of `DdpgSearcher`."""
    return DdpgSearcher(
        problem.graph,
        problem.choices,
        problem.model,
        problem.bound,
        problem.harm,
        constants,
        problem.seed,
        **how,
    )


def shares(problem: Problem) -> Floats:
    """What a layer's narrowest bits harm and save, each as a share of the largest, (layers, 2)."""
    options = {name: problem.choices.alternatives(name) for name in problem.choices.names}
    rows = [
        (
            problem.harm[name][bits[0]] - problem.harm[name][bits[-1]],
            -problem.model.deltas(problem.choices.widest, name, bits[:1])[0],
        )
        for name, bits in options.items()
    ]
    found = np.maximum(np.array(rows, dtype=np.float64), 0.0)
    scaled: Floats = (found / np.maximum(found.max(0), 1e-300)).astype(np.float32)
    return scaled
