"""The final ranking: the best policies of a search, measured together beside the uniform ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from haq.board import Latency
from haq.search.loop import Outcome
from haq.search.memory import Meter
from haq.search.target import Target
from quant.errors import BudgetError
from quant.evaluate import Score
from quant.policy import Policy

Complete = Callable[[Sequence[Policy]], Sequence[Score]]
"""Scores on all images."""
FINALISTS = 6
SLACK = 1.02
"""Finalists may have been predicted or measured a little over the bound: noise is of this size."""


@dataclass(frozen=True)
class Winner:
    """The outcome with the least KL that keeps the bound, and its final latency if measurable."""

    outcome: Outcome
    latency: Latency | None


def choose_simulated(
    outcomes: Iterable[Outcome], target: Target, complete: Complete, as_exported: Complete
) -> Winner:
    """The least KL among outcomes whose exact cost keeps the bound.

    Episodes are scored by a quantizer that is quick; the first few compete by the one that makes
    what is exported (`as_exported`), which may order them otherwise.
    """
    first = next(finalists(outcomes, target, complete))
    scores = as_exported([outcome.policy for outcome in first])
    best, _ = min(zip(first, scores, strict=True), key=lambda pair: pair[1].kl)
    return Winner(best, None)


def choose_measured(
    outcomes: Iterable[Outcome],
    target: Target,
    complete: Complete,
    meter: Meter,
    beside: Sequence[Policy],
    spare: Iterable[list[Outcome]] = (),
) -> Winner:
    """The least KL whose latency, measured anew together with `beside`, keeps the bound.

    Where no outcome keeps it, those of `spare` are tried.

    Other budgets are exact, so there every outcome within the bound stays, and without one of
    latency only the best is measured. Raises BudgetError if no finalist keeps the bound.
    """
    measured = FINALISTS if bounds_latency(target) else 1
    for first in chain(finalists(outcomes, target, complete), spare):
        some = first[:measured]
        latencies = meter.measure([*(o.policy for o in some), *beside], "final")
        pairs = list(zip(some, latencies, strict=False))
        fitting = [(o, t) for o, t in pairs if keeps(t, target)]
        if fitting:
            return Winner(*min(fitting, key=lambda pair: pair[0].score.kl))
    bounds = " and ".join(f"{one.ratio:.3f}x" for one in target.budgets)
    raise BudgetError(
        f"no policy of the search kept {bounds} when measured again: "
        "allow more latency or more episodes"
    )


def keeps(latency: Latency, target: Target) -> bool:
    """Whether a new measurement keeps the bound of latency, if there is one."""
    return all(latency.ratio <= one.bound for one in target.budgets if one.kind == "latency")


def bounds_latency(target: Target) -> bool:
    """Whether a latency decides which outcomes stay."""
    return any(one.kind == "latency" for one in target.budgets)


def finalists(
    outcomes: Iterable[Outcome], target: Target, complete: Complete
) -> Iterator[list[Outcome]]:
    """Distinct outcomes near or below the bound, some at a time, least KL first, on all images."""
    left = list(ranked(outcomes, target))
    while left:
        left = completed(left, complete)
        yield left[:FINALISTS]
        left = left[FINALISTS:]


def completed(outcomes: Sequence[Outcome], complete: Complete) -> list[Outcome]:
    """Least KL first, where the scores of the first `FINALISTS` rest on all images.

    A score that was too good takes a worse place, and who moves up is completed in turn.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.score.kl)
    first = ordered[:FINALISTS]
    scores = complete([outcome.policy for outcome in first])
    known = [replace(o, score=score) for o, score in zip(first, scores, strict=True)]
    if known == first:
        return ordered
    return completed([*known, *ordered[FINALISTS:]], complete)


def ranked(outcomes: Iterable[Outcome], target: Target) -> Iterator[Outcome]:
    """Distinct outcomes near or below the bound, least KL first."""
    seen: set[str] = set()
    for outcome in sorted(outcomes, key=lambda outcome: outcome.score.kl):
        key = outcome.policy.key()
        if key not in seen and is_near(outcome, target):
            seen.add(key)
            yield outcome


def is_near(outcome: Outcome, target: Target) -> bool:
    """Whether an outcome keeps the bound, or each of several, but for the slack."""
    return all(
        reached(seen, one) <= one.bound * slack(one) for one, seen in by_budget(outcome, target)
    )


def by_budget(outcome: Outcome, target: Target) -> Iterator[tuple[Target, Outcome]]:
    """Each budget, and the outcome with what it costs there."""
    if not target.parts:
        yield target, outcome
    for part in target.parts:
        yield part, replace(outcome, cost=part.model.cost(outcome.policy))


def reached(outcome: Outcome, target: Target) -> float:
    """The cost that counts: the measured ratio for latency, else what the model says."""
    measured = target.kind == "latency" and outcome.latency is not None
    return outcome.latency.ratio if measured and outcome.latency else outcome.cost


def slack(target: Target) -> float:
    """Only measurements deserve slack."""
    return SLACK if target.kind == "latency" else 1.0
