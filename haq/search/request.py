"""What a search is asked to do, checked before anything is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from env.actions import Choices, free_choices, tied_choices, weight_choices
from haq.cores import Cores
from haq.cost import Budget, EnergyTable, parse_budget, read_energy, read_table
from haq.cost.table import Table
from haq.names import AgentName, Padding, QuantizerName, RewardKind, StartName, TorchDevice
from haq.search.bounds import Bounds
from quant.errors import BudgetError, InputError, PolicyError
from quant.graph import Graph
from quant.ncnn.grouped import without_8_bits
from quant.observers import Method
from quant.policy import ALLOWED_BITS, ENGINE_BITS, FLOAT_BITS, SHARED_BITS, Bits

OURS: tuple[AgentName, ...] = ("ddpg", "td3", "sac")
"""Agents that do not plan and are free to begin with a plan."""
SHARED = frozenset({*SHARED_BITS, FLOAT_BITS})
T = TypeVar("T", bound=Table | EnergyTable)


@dataclass(frozen=True)
class SearchRequest:
    """A search as the user asked for it; None stands for the default.

    A `table` says the latency, which is then not measured; without `energy` the packaged table
    counts. A `sweep` is searched within each of its bounds, beside the budget. So many episodes as
    `parallel` says are proposed before anything is learned from them. On another `device` than the
    CPU torch scores the policies of episodes, which rounds other last digits.
    """

    model: str
    weights: Path | None
    input_size: int | None
    padding: Padding | None
    data: str
    calibration: str | None
    observer: Method
    budget: tuple[Budget, ...] | None
    bits: tuple[int, ...]
    episodes: int
    seed: int
    reward: RewardKind | None
    threads: int = 1
    cores: Cores = None
    quantizer: QuantizerName = "best"
    equalize: bool = False
    table: Table | None = None
    energy: EnergyTable | None = None
    agent: AgentName = "ddpg"
    start: StartName | None = None
    sweep: Bounds | None = None
    parallel: int = 8
    metric: str | None = None
    device: TorchDevice = "cpu"

    @property
    def begins_with(self) -> StartName:
        """What the first policy is made by: an integer program unless the agent plans itself."""
        return self.start or ("ilp" if self.agent in OURS else "cold")

    @property
    def earns(self) -> RewardKind:
        """The reward: HAQ's own for its agent, the divergence for all others."""
        return self.reward or ("top1" if self.agent == "haq" else "kl")

    @property
    def timing(self) -> dict[str, Any]:
        """How the board times, as arguments of `Board.measure` and `Board.profile`."""
        return {"threads": self.threads, "cores": self.cores}

    @property
    def is_deployable(self) -> bool:
        """Whether ncnn can run every choice as it is counted."""
        return not self.shares_weights and set(self.bits) <= set(ENGINE_BITS)

    @property
    def shares_weights(self) -> bool:
        """Whether bits are those of shared weights, with activations in float."""
        return self.quantizer == "kmeans"

    def choices(self, graph: Graph) -> Choices:
        """Widths of every layer: tied where ncnn runs them, else free with 8-bit ends.

        Shared weights have a width of their own everywhere, as in HAQ. Products are float where
        ncnn runs them, and beside shared weights; some layers have no 8 bits there.
        """
        names = graph.layer_names
        if self.shares_weights:
            return weight_choices(names, self.bits, graph.products)
        if self.is_deployable:
            return tied_choices(names, self.bits, graph.products, without_8_bits(graph))
        return free_choices(names, self.bits)

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the result."""
        weights = None if self.weights is None else str(self.weights)
        cores = list(self.cores) if isinstance(self.cores, tuple) else self.cores
        tables = {
            name: None if table is None else {"path": str(table.path), "sha256": table.digest}
            for name, table in (("table", self.table), ("energy", self.energy))
        }
        plain = asdict(replace(self, table=None, energy=None))
        return {**plain, "weights": weights, "bits": list(self.bits), "cores": cores, **tables}

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> SearchRequest:
        """Inverse of `to_json`; tables are read again. Where no device is named, it is the CPU.

        Raises ValueError for settings of another shape, InputError for a table that is gone or has
        changed.
        """
        settings = {"device": "cpu", **settings}
        if set(settings) != {field.name for field in fields(cls)}:
            raise ValueError("other names of settings")
        plain = {name: read(json.dumps(settings[name])) for name, read in readers().items()}
        table = read_again(settings["table"], read_table)
        return cls(**plain, table=table, energy=read_again(settings["energy"], read_energy))


def readers() -> dict[str, Callable[[str], Any]]:
    """What reads each setting but the tables from JSON, or raises ValueError."""
    hints = get_type_hints(SearchRequest)
    return {
        name: partial(TypeAdapter(hint).validate_json, strict=True)
        for name, hint in hints.items()
        if name not in {"table", "energy"}
    }


def read_again(saved: Any, read: Callable[[Path], T]) -> T | None:
    """A table by the path and digest in its settings. Raises ValueError, InputError."""
    if saved is None:
        return None
    if not (isinstance(saved, dict) and isinstance(saved.get("path"), str)):
        raise ValueError("a table without a path")
    found = read(Path(saved["path"]))
    if found.digest != saved.get("sha256"):
        raise InputError(f"{saved['path']} has changed since: restore it")
    return found


def parse_bits(text: str, quantizer: QuantizerName = "naive") -> tuple[int, ...]:
    """`8,16,32` or `2-8`, for shared weights `1-8`; ascending. Raises PolicyError."""
    span = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text.strip())
    words = text.split(",")
    if span:
        bits = list(range(int(span[1]), int(span[2]) + 1))
    elif all(word.strip().isdecimal() for word in words):
        bits = [int(word) for word in words]
    else:
        bits = []
    allowed, example = allowed_bits(quantizer)
    if len(set(bits)) < 2 or not set(bits) <= allowed:
        raise PolicyError(f"bits '{text}' are not understood: write at least two of {example}")
    return tuple(sorted(set(bits)))


def allowed_bits(quantizer: QuantizerName) -> tuple[frozenset[int], str]:
    """Widths that can be searched, and how to write them."""
    if quantizer == "kmeans":
        return SHARED, "1 to 8 and 32 for --quantizer kmeans, as in 1-8"
    return ALLOWED_BITS, "2 to 8, 16 and 32, as in 8,16,32 or 2-8"


def check_budgets(
    texts: Sequence[str] | None,
    bits: tuple[int, ...],
    quantizer: QuantizerName = "naive",
    table: Table | None = None,
    energy: EnergyTable | None = None,
) -> tuple[Budget, ...] | None:
    """The parsed budgets, None for none.

    Raises BudgetError where they cannot go with each other, the bits, the quantizer or the tables,
    PolicyError where the table of energy does not hold the bits.
    """
    budgets = tuple(parse_budget(text) for text in texts or ())
    kinds = [budget.kind for budget in budgets] or ["latency"]
    if len(set(kinds)) < len(kinds):
        raise BudgetError(f"two budgets of one kind ({', '.join(kinds)}): give one of each kind")
    if quantizer == "kmeans" and kinds != ["size"]:
        raise BudgetError(
            "k-means saves size alone, its networks compute in float: give a budget such as "
            "--budget size=0.1x"
        )
    if energy is not None:
        check_energy(energy, kinds, bits)
    if table is not None:
        check_table(table, budgets, bits)
    elif "latency" in kinds and not set(bits) <= set(ENGINE_BITS):
        raise BudgetError(
            "ncnn runs 8, 16 and 32 bits only, other bits have no latency on a board: give a "
            "budget such as --budget size=0.2x or --budget bops=0.05x, or a --table of latencies"
        )
    return budgets or None


def check_table(table: Table, budgets: Sequence[Budget], bits: tuple[int, ...]) -> None:
    """Raise BudgetError unless a table says what the latency budget needs."""
    latency = next((budget for budget in budgets if budget.kind == "latency"), None)
    if latency is None:
        raise BudgetError("a table is for a latency budget: add one such as --budget latency=0.6x")
    if not latency.relative and not table.has_milliseconds:
        raise BudgetError(
            "the table says no milliseconds: write a multiple of uniform W8A8 such as latency=0.6x"
        )
    if not set(bits) <= table.bits:
        raise BudgetError(
            f"the table holds bits of {', '.join(map(str, sorted(table.bits)))}: choose --bits "
            "among these"
        )


def check_energy(energy: EnergyTable, kinds: Sequence[str], bits: tuple[int, ...]) -> None:
    """Raise BudgetError or PolicyError unless the table is of use and holds the widest bits."""
    if "energy" not in kinds:
        raise BudgetError("an energy table is for an energy budget: add --budget energy=0.5x")
    energy.mac(Bits(max(bits), max(bits)))
