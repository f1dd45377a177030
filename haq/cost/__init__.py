"""Cost models: latency measured on a board, size, bit operations."""

from haq.cost.additive import AdditiveCost, bops_cost, size_cost
from haq.cost.budget import Budget, parse_budget
from haq.cost.codebook import codebook_cost
from haq.cost.latency import LatencyCost

__all__ = [
    "AdditiveCost",
    "Budget",
    "LatencyCost",
    "bops_cost",
    "codebook_cost",
    "parse_budget",
    "size_cost",
]
