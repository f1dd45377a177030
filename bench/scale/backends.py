"""Every kind of workers on this machine: what a task costs, what is sent, how fast policies run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.reduction import ForkingPickler
from statistics import median
from typing import Any

import numpy as np

from bench.evaluation.policies import free_policies
from haq.data import load_splits
from haq.evaluators import PolicyEvaluator, make_evaluator
from haq.parallel import LocalWorkers, Make, Rows, Workers
from haq.parallel.cluster import LOCAL, connected
from haq.parallel.pieces import PIECE
from haq.parallel.pool import PoolWorkers
from haq.parallel.ray_workers import RayWorkers
from haq.prepare import load_network, make_subject
from quant.evaluate import Seen
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from quant.policy import SIMULATED_BITS, Policy

TASKS, REPETITIONS, POLICIES = 300, 5, 6
Start = Callable[[Make], Workers]


class Idle:
    """An evaluator that does nothing."""

    batch = 1

    @property
    def float_logits(self) -> Floats:
        return np.zeros((PIECE, 10), np.float32)

    def see(self, policy: Policy, rows: Rows) -> Seen:
        nothing = np.zeros(len(rows))
        return Seen(nothing, nothing, nothing)


@contextmanager
def backends() -> Iterator[dict[str, Start]]:
    """By name; Ray is started on this machine."""
    pools: dict[str, Start] = {
        f"pool, {count}": partial(PoolWorkers, count=count) for count in (1, 2)
    }
    with connected(LOCAL):
        rays: dict[str, Start] = {f"ray, {n}": partial(RayWorkers, count=n) for n in (1, 2)}
        yield {"in process": LocalWorkers, **pools, **rays}


def measure_backends() -> dict[str, Any]:
    """Round trips, bytes and seconds of every kind of workers."""
    make, policies = packaged_maker()
    with backends() as starts:
        trips = {name: time_trips(start, policies[0]) for name, start in starts.items()}
        found = {name: time_policies(start, make, policies) for name, start in starts.items()}
    piece = policies[0], np.arange(PIECE)
    return {
        "seconds_a_task": trips,
        "bytes_a_worker": len(ForkingPickler.dumps(make)),
        "bytes_a_task": len(ForkingPickler.dumps(piece)),
        "bytes_an_answer": len(ForkingPickler.dumps(Idle().see(*piece))),
        "images_a_policy": len(load_splits("sample", None, 32).validation),
        "policies": found,
    }


def packaged_maker() -> tuple[Callable[[], PolicyEvaluator], list[Policy]]:
    """The packaged network on its validation images, and random policies of 2 to 8 bits."""
    config, network = load_network("mbv2", None, 32, "torch")
    splits = load_splits("sample", None, 32)
    subject = make_subject(config, network, splits.calibration, "auto")
    make = partial(make_evaluator, subject, splits.validation, capabilities(), "simulated")
    return make, list(free_policies(network.graph.layer_names, SIMULATED_BITS, POLICIES))


def time_trips(start: Start, policy: Policy) -> float:
    """Median seconds of a task that does nothing, of many at once."""
    with closing(start(Idle)) as workers:
        tasks = [(policy, np.arange(PIECE))] * TASKS
        return timed(lambda: list(workers.see(tasks)))["median"] / TASKS


def time_policies(start: Start, make: Make, policies: list[Policy]) -> dict[str, float]:
    """Seconds until workers are up, and of a policy on all images once they are."""
    begin = time.perf_counter()
    with closing(start(make)) as workers:
        rows = np.arange(len(workers.float_logits))
        list(workers.see([(policies[0], rows)]))
        up = time.perf_counter() - begin
        tasks = [(policy, rows) for policy in policies]
        found = timed(lambda: list(workers.see(tasks)))
    return {"seconds_to_first": up, **{k: s / len(policies) for k, s in found.items()}}


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall seconds: median, least and most; a first run does not count."""
    seconds = []
    for _ in range(REPETITIONS + 1):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return {"median": median(seconds[1:]), "least": min(seconds[1:]), "most": max(seconds[1:])}
