"""The bounds that a sweep goes over, as typed or as spread over what can be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from haq.cost import Budget, parse_budget
from haq.cost.budget import Kind
from quant.errors import BudgetError
from quant.policy import Policy

if TYPE_CHECKING:
    from haq.search.target import Target

Check = Callable[[Sequence[str]], tuple[Budget, ...] | None]
"""Budgets that are kept together, parsed. Raises BudgetError where they do not go together."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of one kind as `typed`, such as `size=0.5x`, or a `count` of them to be spread."""

    kind: Kind
    typed: tuple[str, ...] = ()
    count: int = 0

    @property
    def open(self) -> Budget:
        """A budget of this kind that everything keeps."""
        return Budget(self.kind, inf, True)


def read_budgets(
    texts: Sequence[str], count: int | None, check: Check
) -> tuple[tuple[Budget, ...] | None, Bounds | None]:
    """The budgets that hold throughout, and the bounds of a sweep if one was asked for.

    `KIND=BOUND,BOUND` is a sweep. With a `count`, `KIND` alone says what is swept, latency if
    nothing does. Raises BudgetError.
    """
    swept = [text for text in texts if is_swept(text, count)]
    if count is None and not swept:
        return check(texts), None
    if len(swept) > 1 or (count is not None and any("," in text for text in swept)):
        raise BudgetError(
            "one sweep at a time: give several bounds to one budget, or --pareto and no such budget"
        )
    fixed = [text for text in texts if text not in swept]
    typed = expand(swept[0]) if count is None else [f"{(swept or ['latency'])[0].strip()}=1x"]
    for text in typed:
        check([*fixed, text])
    budgets = [parse_budget(text) for text in typed]
    if len(set(budgets)) < len(budgets):
        raise BudgetError(f"two bounds of '{swept[0]}' are equal: give each once")
    kept = tuple(parse_budget(text) for text in fixed) or None
    bounds = tuple(typed) if count is None else ()
    return kept, Bounds(budgets[0].kind, bounds, count or 0)


def is_swept(text: str, count: int | None) -> bool:
    """Whether a budget has several bounds, or none where these are to be found."""
    return "," in text or (count is not None and "=" not in text)


def expand(text: str) -> list[str]:
    """`size=0.5x, 1MB` as `size=0.5x` and `size=1MB`."""
    kind, _, amounts = text.partition("=")
    return [f"{kind.strip()}={''.join(amount.split())}" for amount in amounts.split(",")]


def spread(bounds: Bounds, target: Target, widest: Policy) -> list[str]:
    """Bounds evenly between the least reachable cost and that of the widest bits, without these.

    Both are known without a search. They are multiples of the reference's cost, to three digits.
    Raises BudgetError where there is no room for so many.
    """
    ends = target.model.cost(target.model.least()), target.model.cost(widest)
    low, high = (cost / target.float_cost for cost in ends)
    step = (high - low) / (bounds.count + 1)
    ratios = [round(low + step * number, 3) for number in range(1, bounds.count + 1)]
    if len(set(ratios)) < len(ratios) or not low <= ratios[0]:
        raise BudgetError(
            f"there is no room for {bounds.count} bounds of {bounds.kind} between {low:.3f}x and "
            f"{high:.3f}x: ask for fewer"
        )
    return [f"{bounds.kind}={ratio:g}x" for ratio in ratios]
