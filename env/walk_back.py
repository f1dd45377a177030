"""HAQ's own way into the budget, for comparison with `env.budget.walk`."""

from __future__ import annotations

from collections.abc import Iterator

from env.actions import Choices
from env.budget import CostModel, Harm, least
from quant.policy import Policy


def walk_back(
    policy: Policy, choices: Choices, model: CostModel, budget: float, harm: Harm | None = None
) -> Policy:
    """The policy, narrowed until it costs at most `budget` (Wang et al. 2019, section 3.3).

    From the last layer to the first, activations lose a width, then weights; and again, as long as
    the budget is exceeded. `harm` is not asked. Where all is as narrow as it can be, or fewer bits
    cost more, the model's least policy is returned. Raises BudgetError if that exceeds the budget.
    """
    for narrowed in narrower(policy, choices):
        if model.cost(narrowed) <= budget:
            return narrowed
    return least(model, budget)


def narrower(policy: Policy, choices: Choices) -> Iterator[Policy]:
    """The policy itself, then with one width less each time, until there are no more."""
    widths = list(choices.widths(policy))
    yield policy
    last_first = sorted(
        range(len(widths)),
        key=lambda i: (-choices.names.index(choices.steps[i].layer), choices.steps[i].is_weight),
    )
    for _ in range(max(len(step.widths) for step in choices.steps)):
        for index in last_first:
            options = choices.steps[index].widths
            place = options.index(widths[index])
            if place > 0:
                widths[index] = options[place - 1]
                yield choices.policy(widths)
