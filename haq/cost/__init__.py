"""Cost models: latency on a board or by a table, size, bit operations, energy; several as one."""

from haq.cost.additive import AdditiveCost, bops_cost, size_cost
from haq.cost.budget import Budget, parse_budget
from haq.cost.codebook import codebook_cost
from haq.cost.composed import ComposedCost
from haq.cost.energy import EnergyTable, energy_cost, read_energy
from haq.cost.latency import LatencyCost
from haq.cost.table import HaqTable, ProfileTable, read_table

__all__ = [
    "AdditiveCost",
    "Budget",
    "ComposedCost",
    "EnergyTable",
    "HaqTable",
    "LatencyCost",
    "ProfileTable",
    "bops_cost",
    "codebook_cost",
    "energy_cost",
    "parse_budget",
    "read_energy",
    "read_table",
    "size_cost",
]
