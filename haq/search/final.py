"""The final ranking: the best policies of a search, measured together beside the uniform ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from haq.board import Latency
from haq.search.loop import Outcome
from haq.search.memory import Meter
from haq.search.target import Target
from quant.errors import BudgetError
from quant.evaluate import Score
from quant.policy import Policy

Complete = Callable[[Sequence[Policy]], Sequence[Score]]
"""Scores on all images."""
Measured = tuple[Outcome, Latency]
Lower = Callable[[Outcome, Latency], Sequence[Outcome]]
"""What is made faster of an outcome whose latency misses the bound, if there is anything."""
FINALISTS = 6
LOWERINGS = 3
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
    first = completed(list(ranked(outcomes, target)), complete)[:FINALISTS]
    scores = as_exported([outcome.policy for outcome in first])
    best, _ = min(zip(first, scores, strict=True), key=lambda pair: pair[1].kl)
    return Winner(best, None)


def choose_measured(
    outcomes: Iterable[Outcome],
    target: Target,
    complete: Complete,
    meter: Meter,
    beside: Sequence[Policy],
    lower: Lower,
    spare: Callable[[], Outcome],
    is_given: bool = True,
) -> Winner:
    """The least KL whose latency, measured anew together with `beside`, keeps the bound.

    Where no finalist keeps it, `spare` is tried, and where not even that does, the fastest of all
    wins a bound that nobody has given.

    Other budgets are exact, so there every outcome within the bound stays, and without one of
    latency only the best is measured. Raises BudgetError where nothing keeps a bound that is given.
    """
    best, slow = compete(outcomes, target, complete, meter, beside, lower)
    if best is None:
        kept, missed = measure_anew([spare()], target, meter, beside)
        best = min([*kept, *missed, *slow], key=lambda measured: measured[1].ratio)
        if is_given and not kept:
            raise none_kept(target)
    return Winner(*best)


def none_kept(target: Target) -> BudgetError:
    """For a bound that seemed to be kept."""
    bounds = " and ".join(f"{one.ratio:.3f}x" for one in target.budgets)
    return BudgetError(
        f"no policy of the search kept {bounds} when measured again: "
        "allow more latency or more episodes"
    )


def compete(
    outcomes: Iterable[Outcome],
    target: Target,
    complete: Complete,
    meter: Meter,
    beside: Sequence[Policy],
    lower: Lower,
) -> tuple[Measured | None, list[Measured]]:
    """The least KL that keeps the bound, if any does, and those that missed it.

    Of what misses it faster ones are made, in LOWERINGS rounds at most, and measured where they are
    nearer to float than what keeps it; of the best trials too, where none came near the bound.
    """
    slow: list[Measured] = []
    measured = FINALISTS if bounds_latency(target) else 1
    best, lowerings = None, LOWERINGS
    left = [*ranked(outcomes, target)] or nearer(all_lowered(too_slow(outcomes), lower), target)
    while left:
        left = completed(left, complete)
        kept, missed = measure_anew(left[:measured], target, meter, beside)
        best = min(kept, key=divergence, default=best)
        slow += missed
        faster = all_lowered(missed, lower) if lowerings else []
        left = nearer([*faster, *left[FINALISTS:]], target, best)
        lowerings -= bool(lowerings)
    return best, slow


def measure_anew(
    outcomes: Sequence[Outcome], target: Target, meter: Meter, beside: Sequence[Policy]
) -> tuple[list[Measured], list[Measured]]:
    """Those that keep the bound of latency, and those that miss it, measured with `beside`."""
    latencies = meter.measure([*(o.policy for o in outcomes), *beside], "final")
    found = list(zip(outcomes, latencies, strict=False))
    missed = [one for one in found if not keeps(one[1], target)]
    return [one for one in found if keeps(one[1], target)], missed


def divergence(measured: Measured) -> float:
    """The KL of what was measured."""
    return measured[0].score.kl


def all_lowered(missed: Iterable[Measured], lower: Lower) -> list[Outcome]:
    """What is made faster of each."""
    return [made for outcome, latency in missed for made in lower(outcome, latency)]


def too_slow(outcomes: Iterable[Outcome]) -> list[Measured]:
    """The best outcomes, as measured in the search."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.score.kl)
    return [(one, one.latency) for one in ordered[:FINALISTS] if one.latency]


def nearer(
    outcomes: Iterable[Outcome], target: Target, best: Measured | None = None
) -> list[Outcome]:
    """Outcomes as of `ranked` that are nearer to float than the best so far."""
    found = ranked(outcomes, target)
    return [one for one in found if best is None or one.score.kl < divergence(best)]


def keeps(latency: Latency, target: Target) -> bool:
    """Whether a new measurement keeps the bound of latency, if there is one."""
    return all(latency.ratio <= one.bound for one in target.budgets if one.kind == "latency")


def bounds_latency(target: Target) -> bool:
    """Whether a latency decides which outcomes stay."""
    return any(one.kind == "latency" for one in target.budgets)


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
