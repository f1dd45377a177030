"""What a race saves, and what it keeps: random policies on some of the images against all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.progress import track

from bench.evaluation.policies import engine_policies, free_policies
from bench.evaluation.subject import Given, subject_of
from haq.data import Images, load_splits
from haq.evaluators import make_evaluator
from haq.prepare import Subject, load_network, make_subject
from haq.search.image_order import Rows, Values
from haq.search.racing import RacingEvaluator
from quant.evaluate import Score, Seen, score_of
from quant.naive import Arithmetic
from quant.ncnn.runtime import capabilities
from quant.policy import Policy

POLICIES = 200
KEEP, BATCH = 10, 8
SEEDS = range(10)
ROWS = "100-499"
TARGETS = {"share": 0.25, "kendall": 0.9, "kept": 1.0}


def measure_racing(given: Given) -> dict[str, Any]:
    """The packaged network on its validation images, then the given one; see `of_policies`."""
    small, images = packaged()
    names = small.network.graph.layer_names
    found = {
        "packaged, 2-8": of_policies(small, images, free_policies(names, range(2, 9), POLICIES)),
        "packaged, 5-8": of_policies(small, images, free_policies(names, range(5, 9), POLICIES)),
        "packaged, 8/16/32": of_policies(small, images, engine_policies(names, POLICIES)),
    }
    large, images = subject_of(given), given.rows(ROWS)
    names = large.network.graph.layer_names
    found |= {
        "given, 6-8": of_policies(large, images, free_policies(names, range(6, 9), POLICIES)),
        "given, 8/16/32": of_policies(large, images, engine_policies(names, POLICIES)),
    }
    return {"policies": POLICIES, "targets": TARGETS, "sets": found}


def packaged() -> tuple[Subject, Images]:
    """The packaged network and its validation images."""
    config, network = load_network("mbv2", None, 32, "torch")
    splits = load_splits("sample", None, 32)
    return make_subject(config, network, splits.calibration, "auto"), splits.validation


def of_policies(subject: Subject, images: Images, policies: Sequence[Policy]) -> dict[str, Any]:
    """All policies on all images, then races that are given only what they ask for.

    `at once` is one race of all, `in batches` what a search sees; each for several orders.
    """
    arithmetic: Arithmetic = "ncnn" if policies[0].is_deployable else "simulated"
    evaluator = make_evaluator(subject, images, capabilities(), arithmetic)
    float_logits, rows = evaluator.float_logits, np.arange(len(images))
    seen = {p.key(): evaluator.see(p, rows) for p in track(policies, "all images")}
    full = [score_of(seen[p.key()]) for p in policies]

    def race(seed: int, batch: int) -> dict[str, float]:
        evaluator = RacingEvaluator(
            lambda tasks: (some(seen, *task) for task in tasks),
            float_logits,
            images.labels,
            keep=KEEP,
            seed=seed,
        )
        starts = range(0, len(policies), batch)
        raced = [s for i in starts for s in evaluator.score(policies[i : i + batch])]
        return {"share": evaluator.evaluated / (len(policies) * len(images))} | faults(raced, full)

    kl = [score.kl for score in full]
    return {
        "images": len(images),
        "kl": {"least": min(kl), "median": float(np.median(kl)), "most": max(kl)},
        "at once": summarise([race(seed, len(policies)) for seed in SEEDS]),
        "in batches": summarise([race(seed, BATCH) for seed in SEEDS]),
    }


def some(seen: Mapping[str, Seen], policy: Policy, rows: Rows) -> Seen:
    """What a policy does to some rows."""
    one = seen[policy.key()]
    return Seen(one.kl[rows], one.right[rows], one.same[rows])


def faults(raced: Sequence[Score], full: Sequence[Score]) -> dict[str, float]:
    """How raced scores differ from full ones."""
    ours, theirs = np.array([s.kl for s in raced]), np.array([s.kl for s in full])
    best = np.argsort(theirs)[:KEEP]
    complete = [raced[row].images == full[row].images for row in best]
    return {
        "kendall": kendall(ours, theirs),
        "kept": float(np.mean(complete)),
        "relative_kl_error": float(np.mean(np.abs(ours / theirs - 1))),
        "top1_error": float(
            np.mean([abs(a.top1 - b.top1) for a, b in zip(raced, full, strict=True)])
        ),
    }


def kendall(ours: Values, theirs: Values) -> float:
    """Kendall's tau of values without ties."""
    signs = np.sign(ours[:, None] - ours) * np.sign(theirs[:, None] - theirs)
    return float(signs.sum() / (len(ours) * (len(ours) - 1)))


def summarise(races: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean, least and most over the orders."""
    values = {key: [race[key] for race in races] for key in races[0]}
    return {
        key: {"mean": float(np.mean(some)), "least": min(some), "most": max(some)}
        for key, some in values.items()
    }
