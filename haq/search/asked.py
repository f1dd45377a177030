"""From what a user typed, wherever it was typed, to a request that is known to make sense."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from haq.cores import parse_cores
from haq.cost import read_energy, read_table
from haq.names import METRICS, AgentName, Padding, QuantizerName, RewardKind, StartName, TorchDevice
from haq.search.bounds import read_budgets
from haq.search.request import SearchRequest, check_budgets, parse_bits
from quant.observers import Method


@dataclass(frozen=True)
class Asked:
    """A search as it is typed; each field is an option of `haq search` with its default."""

    model: str = "mbv2"
    weights: Path | None = None
    input_size: int | None = None
    padding: Padding | None = None
    data: str = "sample"
    calibration: str | None = None
    observer: Method = "auto"
    equalize: bool = False
    budget: tuple[str, ...] = ()
    pareto: int | None = None
    table: Path | None = None
    energy_table: Path | None = None
    bits: str = "8,16,32"
    quantizer: QuantizerName = "best"
    episodes: int = 120
    seed: int = 0
    agent: AgentName = "ddpg"
    start: StartName | None = None
    reward: RewardKind | None = None
    parallel: int = 8
    threads: int = 1
    cores: str | None = None
    metric: str | None = None
    device: TorchDevice = "cpu"


AS_TYPED = frozenset(field.name for field in fields(Asked)) - {
    *("budget", "pareto", "table", "energy_table", "bits", "cores")
}
"""Fields that a request has as they are."""


def make_request(asked: Asked) -> SearchRequest:
    """The request; tables are read. Raises InputError, PolicyError and BudgetError."""
    bits = parse_bits(asked.bits, asked.quantizer)
    check_metric(asked.metric)
    table = None if asked.table is None else read_table(asked.table)
    energy = None if asked.energy_table is None else read_energy(asked.energy_table)
    check = partial(check_budgets, bits=bits, quantizer=asked.quantizer, table=table, energy=energy)
    budget, sweep = read_budgets(asked.budget, asked.pareto, check)
    return SearchRequest(
        **{name: getattr(asked, name) for name in AS_TYPED},
        budget=budget,
        sweep=sweep,
        bits=bits,
        cores=parse_cores(asked.cores),
        table=table,
        energy=energy,
    )


def check_metric(name: str | None) -> None:
    """Raise InputError for a metric that there is not."""
    if name is None or name in METRICS:
        return
    from haq.metrics import make_metric  # Loads torch, which who takes haq's own names need not.

    make_metric(name)
