"""`haq measure`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    BoardOption,
    CalibrationOption,
    CaOption,
    CoresOption,
    DataOption,
    EqualizeOption,
    FreshOption,
    InputOption,
    JsonOption,
    KeyOption,
    ModelOption,
    Observer,
    ObserverOption,
    PaddingOption,
    ThreadsOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from haq.board import Latency


class Clock(str, Enum):
    """What is counted."""

    auto = "auto"
    cpu = "cpu"
    wall = "wall"


def measure(
    policy: Annotated[
        list[str], typer.Option(help="policy.json, or 8, 16, 32; several are timed side by side.")
    ],
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    equalize: EqualizeOption = False,
    rel_ci: Annotated[
        float, typer.Option(min=1e-4, max=0.5, help="Width of the 95 % intervals to reach.")
    ] = 0.01,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Give up on it after this.")] = 120.0,
    threads: ThreadsOption = 1,
    cores: CoresOption = None,
    clock: Annotated[
        Clock, typer.Option(help="auto: CPU time for one thread, wall time for several.")
    ] = Clock.auto,
    cool_to: Annotated[
        float | None, typer.Option(help="Wait until the board's sensors show this, in Celsius.")
    ] = None,
    audit: Annotated[
        bool, typer.Option(help="Check timed outputs, and that no input is remembered.")
    ] = False,
    fresh: FreshOption = False,
    board: BoardOption = None,
    board_key: KeyOption = None,
    board_ca: CaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the latency of policies on a board, beside the float network."""
    from haq.cli._progress import show_progress
    from haq.cli._subject import load_subject
    from haq.connect import open_board
    from haq.cores import parse_cores
    from haq.policies import read_policy
    from haq.prepare import upload

    chosen_cores = parse_cores(cores)
    subject, _ = load_subject(
        model, weights, input_size, padding, data, calibration, observer, equalize
    )
    chosen = [read_policy(text, subject.network.graph.layer_names) for text in policy]
    with (
        show_progress() as progress,
        open_board(board, board_key, board_ca, progress.note) as device,
    ):
        upload(subject, device)
        progress.start("latency", 1)
        found = device.measure(
            chosen,
            rel_ci=rel_ci,
            max_seconds=max_seconds,
            threads=threads,
            cores=chosen_cores,
            clock=clock.value,
            cool_to_c=cool_to,
            audit=audit,
            fresh=fresh,
        )
        progress.advance()
    print_latencies(policy, found)
    if as_json:
        rows = zip(policy, found, strict=True)
        print(json.dumps([{"policy": name, **asdict(latency)} for name, latency in rows]))


def print_latencies(names: Sequence[str], found: Sequence[Latency]) -> None:
    """A row a policy, on standard error."""
    from rich.console import Console
    from rich.table import Table

    table = Table("policy", "ratio", "95 % interval", "ms", "MAD", "rounds", "audit", box=None)
    for name, one in zip(names, found, strict=True):
        table.add_row(
            name,
            f"{one.ratio:.4f}",
            f"{one.ratio_low:.4f}-{one.ratio_high:.4f}",
            f"{one.latency_ms:.3f}",
            f"{one.mad_ms:.3f}",
            f"{one.rounds} ({one.voided} voided)" if one.voided else str(one.rounds),
            verdict(one),
        )
    console = Console(stderr=True)
    console.print(table)
    console.print(f"float network {found[0].reference_ms:.3f} ms; {describe(found[0])}")


def verdict(latency: Latency) -> str:
    """What an audit found, in a word."""
    if latency.audit is None:
        return "-"
    return "passed" if latency.audit["passed"] else "FAILED"


def describe(latency: Latency) -> str:
    """The conditions that the board told, and where the number is from."""
    state = latency.conditions
    told = {
        "governor": state["governor"],
        "MHz": state["frequency_mhz"],
        "C": state["temperature_c"],
        "throttled": state["throttled"],
        "load": round(state["load_average"], 2),
        "threads": state["threads"],
        "cores": ",".join(map(str, state["affinity"])),
        "clock": state["clock"],
        "ncnn": state["ncnn_version"],
    }
    facts = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None)
    return f"{facts}; measured before, at {latency.measured_at}" if latency.cached else facts
