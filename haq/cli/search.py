"""`haq search`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    BoardsOption,
    CalibrationOption,
    CaOption,
    CoresOption,
    DataOption,
    EnergyTableOption,
    EqualizeOption,
    InputOption,
    JsonOption,
    KeyOption,
    ModelOption,
    Observer,
    ObserverOption,
    Padding,
    PaddingOption,
    PatienceOption,
    QuantizerName,
    QuantizerOption,
    TableOption,
    ThreadsOption,
    WeightsOption,
)
from quant.errors import BoardError

if TYPE_CHECKING:
    from haq.store import RunFolder


class Agent(str, Enum):
    """Who proposes policies."""

    ddpg = "ddpg"
    haq = "haq"
    td3 = "td3"
    sac = "sac"
    uniform = "uniform"
    random = "random"
    greedy = "greedy"
    ilp = "ilp"
    nsga2 = "nsga2"


class Start(str, Enum):
    """What the first policy is made by."""

    ilp = "ilp"
    walk = "walk"
    cold = "cold"


class Reward(str, Enum):
    """What an episode earns."""

    kl = "kl"
    top1 = "top1"


def search(
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = 32,
    padding: PaddingOption = Padding.torch,
    data: DataOption = "sample",
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    equalize: EqualizeOption = False,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="latency=0.9x, latency=12ms, size=0.5x, size=1.5MB, bops=0.5x or energy=0.5x; x "
            "is the float network's. Several are kept together; several bounds, as in "
            "size=0.3x,0.5x, are a sweep "
            "[default: a latency halfway to the least that the board can reach]."
        ),
    ] = None,
    pareto: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="A sweep of so many bounds, spread evenly between the least reachable cost and "
            "that of the widest bits (float among them or 8): of latency, or with --budget size, "
            "bops or energy (no bound) of that.",
        ),
    ] = None,
    table: TableOption = None,
    energy_table: EnergyTableOption = None,
    bits: Annotated[
        str, typer.Option(help="Widths: 8,16,32 (ncnn), 2-8 (simulated) or 1-8 (kmeans).")
    ] = "8,16,32",
    quantizer: QuantizerOption = QuantizerName.best,
    episodes: Annotated[
        int, typer.Option(min=1, help="Policies to try (within each bound).")
    ] = 120,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal searches.")] = 0,
    agent: Annotated[
        Agent,
        typer.Option(
            help="Who proposes: ddpg (ours), haq (as published), td3, sac, uniform, random, "
            "greedy, ilp (integer program) or nsga2 (needs optuna)."
        ),
    ] = Agent.ddpg,
    start: Annotated[
        Start | None,
        typer.Option(
            help="The first policy: ilp, walk (into the budget from the widest bits), or cold for "
            "none [default: ilp for ddpg, td3 and sac, else cold]."
        ),
    ] = None,
    reward: Annotated[
        Reward | None,
        typer.Option(
            help="kl: minus the divergence from float; top1: as in HAQ [default: kl, for haq top1]."
        ),
    ] = None,
    threads: ThreadsOption = 1,
    cores: CoresOption = None,
    board: BoardsOption = None,
    board_key: KeyOption = None,
    board_ca: CaOption = None,
    patience: PatienceOption = 30,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder; name an unfinished one to go on [default: runs/...]."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search the bits of every layer within a budget, measured on a board."""
    from haq.cli._board import open_boards
    from haq.cli._progress import show_progress
    from haq.cli._result import print_front, print_result
    from haq.cores import parse_cores
    from haq.cost import read_energy, read_table
    from haq.report import write_report
    from haq.search.bounds import read_budgets
    from haq.search.pause import PatientBoard
    from haq.search.request import SearchRequest, check_budgets, parse_bits
    from haq.search.run import load_subject, search_subject
    from haq.search.sweep import sweep_subject
    from haq.store import RunFolder
    from haq.store.run_folder import read_json

    widths = parse_bits(bits, quantizer.value)
    latencies = None if table is None else read_table(table)
    energies = None if energy_table is None else read_energy(energy_table)
    check = partial(
        check_budgets, bits=widths, quantizer=quantizer.value, table=latencies, energy=energies
    )
    budgets, sweep = read_budgets(budget or [], pareto, check)
    request = SearchRequest(
        model=model,
        weights=weights,
        input_size=input_size,
        padding=padding.value,
        data=data,
        calibration=calibration,
        observer=observer.value,
        equalize=equalize,
        budget=budgets,
        bits=widths,
        episodes=episodes,
        seed=seed,
        reward=reward.value if reward else None,
        agent=agent.value,
        start=start.value if start else None,
        sweep=sweep,
        threads=threads,
        cores=parse_cores(cores),
        quantizer=quantizer.value,
        table=latencies,
        energy=energies,
    )
    folder = RunFolder(out or default_folder(model), model)
    subject, splits = load_subject(request)
    # An agent that was started here is not started again by anybody.
    patience_s = 60 * patience if board else 0
    with (
        show_progress() as progress,
        open_boards(board or [], board_key, board_ca, progress.note) as device,
        resumable(folder),
    ):
        patient = PatientBoard(device, patience_s, progress.note)
        run = sweep_subject if sweep else search_subject
        summary = run(request, subject, splits, folder, patient, progress)
    write_report(folder.path)
    show = print_front if sweep else print_result
    show(read_json(folder.summary), folder.report)
    if as_json:
        print(json.dumps(summary))


@contextmanager
def resumable(folder: RunFolder) -> Iterator[None]:
    """Tell how to go on when the board is lost or the user stops in the middle."""
    hint = f"nothing is lost, the same command with --out {folder.path} goes on"
    try:
        yield
    except BoardError as error:
        raise BoardError(f"{error}; {hint}" if folder.settings.is_file() else str(error)) from None
    except KeyboardInterrupt:
        if folder.settings.is_file():
            typer.echo(hint, err=True)
        raise


def default_folder(model: str) -> Path:
    """A new folder named by model and time (UTC)."""
    return Path("runs") / f"{model}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
