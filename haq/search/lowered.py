"""A policy that missed the bound of latency, made as much faster as it was too slow."""

from __future__ import annotations

from env.budget import Harm, walk
from haq.board import Latency
from haq.search.target import Target
from quant.errors import BudgetError
from quant.policy import Policy


def lower(missed: Policy, latency: Latency, target: Target, harm: Harm) -> Policy | None:
    """The policy with the least harm added that the excess of its `latency` over the bound asks.

    The model is taken to be as wrong for what comes of it as it was for the policy. None where the
    model knows nothing so fast, or there is no bound of latency.
    """
    model = target.latency
    bounds = [one.bound for one in target.budgets if one.kind == "latency"]
    if model is None or not bounds:
        return None
    goal = model.cost(missed) * min(bounds) / latency.ratio
    try:
        return walk(missed, model.choices, model, goal, harm)
    except BudgetError:
        return None
