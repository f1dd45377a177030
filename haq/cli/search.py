"""`haq search`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._interrupt import prompt_interrupts
from haq.cli._options import (
    BoardsOption,
    CalibrationOption,
    CaOption,
    CoresOption,
    DataOption,
    Device,
    DeviceOption,
    EnergyTableOption,
    EqualizeOption,
    InputOption,
    JsonOption,
    KeyOption,
    MetricOption,
    ModelOption,
    Observer,
    ObserverOption,
    PaddingOption,
    PatienceOption,
    QuantizerName,
    QuantizerOption,
    TableOption,
    ThreadsOption,
    WeightsOption,
    padding_name,
)
from haq.cli._server import check_options, follow_there, search_there
from haq.cli._typed import typed_options
from haq.crew import Crew
from haq.names import usual_search_data
from quant.errors import (
    BoardError,
    DataError,
    InputError,
    ModelError,
    StorageError,
    WorkerError,
)

if TYPE_CHECKING:
    from haq.search.request import SearchRequest
    from haq.store import RunFolder

WITH_RESUME = frozenset(
    {
        *("resume", "store", "board", "board_key", "board_ca", "patience"),
        *("workers", "ray", "as_json"),
    }
)
"""Options that say where to evaluate, measure and keep it and what to print, not what to search."""


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
    metric = "metric"


def search(
    context: typer.Context,
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    metric: MetricOption = None,
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
            help="kl: minus the divergence from float; top1: as in HAQ; metric: the same of "
            "--metric [default: kl, for haq top1]."
        ),
    ] = None,
    parallel: Annotated[
        int,
        typer.Option(
            min=1,
            help="Episodes at once: so many are proposed before anything is learned from them.",
        ),
    ] = 8,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that evaluate here, or actors on the Ray cluster; results do not "
            "depend on it [default: this process, or every core of the cluster].",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Evaluate on a Ray cluster: auto, local or HOST:PORT (needs ray); a --board that "
            "the cluster offers as board:NAME is asked there.",
        ),
    ] = None,
    device: DeviceOption = Device.cpu,
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
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with the search of this run folder; all settings are the folder's.",
        ),
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="With --server: follow a search that runs there already, and fetch its result.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            envvar="HAQ_STORE",
            metavar="URL",
            help="Where scores and trials are kept, and found again by other runs: "
            "sqlite:///FILE or postgresql://USER@HOST/NAME [default: a file in the run folder].",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search the bits of every layer within a budget, measured on a board."""
    from haq.search.asked import Asked, make_request
    from haq.store import RunFolder

    check_options(context)
    folder = RunFolder(out or default_folder(model), model)
    if follow is not None:
        follow_there(context.obj, follow, folder.path, as_json)
        return
    boards = Boards(board or [], board_key, board_ca, patience)
    means = Means(boards, Crew(workers, ray), store)
    if resume is not None:
        refuse_settings(context)
        go_on(resume, means, as_json)
        return
    asked = Asked(
        model=model,
        weights=weights,
        input_size=input_size,
        padding=padding_name(padding),
        data=data or usual_search_data(model, weights is not None, input_size),
        calibration=calibration,
        observer=observer.value,
        equalize=equalize,
        budget=tuple(budget or ()),
        pareto=pareto,
        table=table,
        energy_table=energy_table,
        bits=bits,
        quantizer=quantizer.value,
        episodes=episodes,
        seed=seed,
        agent=agent.value,
        start=start.value if start else None,
        reward=reward.value if reward else None,
        parallel=parallel,
        threads=threads,
        cores=cores,
        metric=metric,
        device=device.value,
    )
    if context.obj is not None:
        search_there(context.obj, asked, boards.named, folder.path, as_json)
        return
    carry_out(make_request(asked), folder, means, as_json)


@dataclass(frozen=True)
class Boards:
    """The boards to measure on: names or URLs, none for this machine; key, authority, minutes."""

    named: Sequence[str]
    key: str | None
    ca: Path | None
    patience: float

    @property
    def where(self) -> tuple[Sequence[str], str | None, Path | None]:
        """Arguments of `open_boards`."""
        return self.named, self.key, self.ca

    @property
    def patience_s(self) -> float:
        """How long a lost board is waited for; an agent started here is not started again."""
        return 60 * self.patience if self.named else 0


@dataclass(frozen=True)
class Means:
    """What a search is carried out with; its result does not depend on the crew and the store."""

    boards: Boards
    crew: Crew
    store: str | None


def carry_out(request: SearchRequest, folder: RunFolder, means: Means, as_json: bool) -> None:
    """Search, write the report and print the result."""
    from haq.cli._progress import show_progress
    from haq.connect import open_boards
    from haq.crew import check_crew, open_workers
    from haq.search.pause import PatientBoard
    from haq.search.run import load_subject, search_subject
    from haq.search.sweep import sweep_subject
    from haq.store.lock import check_free
    from haq.torch_evaluator import check_device

    check_crew(means.crew, request.device)
    check_device(request.device)
    boards = means.boards
    with resumable(folder):
        check_free(folder.path)
        subject, splits = load_subject(request)
        with (
            show_progress() as progress,
            open_workers(means.crew, progress.note) as start,
            open_boards(*boards.where, progress.note, means.crew.ray is not None) as device,
        ):
            patient = PatientBoard(device, boards.patience_s, progress.note)
            run = sweep_subject if request.sweep else search_subject
            run(request, subject, splits, folder, patient, progress, start, means.store)
        finish(folder, as_json)


def finish(folder: RunFolder, as_json: bool) -> None:
    """Write the report of a search that has ended, and print its result."""
    from haq.cli._result import tell_result
    from haq.report.page import write_report
    from haq.store.run_folder import read_json

    write_report(folder.path)
    tell_result(read_json(folder.summary), folder.report, as_json)


def go_on(path: Path, means: Means, as_json: bool) -> None:
    """Go on with a run, or say that it is finished and print its result."""
    from haq.search.resume import read_run
    from haq.store.lock import check_free

    request, folder = read_run(path)
    check_free(path)
    if folder.summary.is_file():
        typer.echo(f"{path} is finished: nothing is left to do", err=True)
        finish(folder, as_json)
        return
    try:
        kept = means.store or folder.kept_in
        carry_out(request, folder, replace(means, store=kept), as_json)
    except (DataError, ModelError) as error:
        raise InputError(f"{error}; {path} names files as they were typed when it began") from None


def refuse_settings(context: typer.Context) -> None:
    """Raise InputError for options that cannot go with --resume."""
    given = typed_options(context)
    typed = [option for name, option in given.items() if name not in WITH_RESUME]
    if typed:
        raise InputError(f"--resume takes all settings from the run: leave out {', '.join(typed)}")


@contextmanager
def resumable(folder: RunFolder) -> Iterator[None]:
    """Tell how to go on when a board or all workers are lost, the disk is full, or the user stops.

    Raises BoardError, StorageError and WorkerError that tell it; an interrupt ends the program at
    once.
    """
    from haq.store.durable import room

    hint = Hint(folder)
    try:
        with prompt_interrupts(hint.tell), room(folder.path):
            yield
    except BoardError as error:
        raise BoardError(hint.add_to(str(error))) from None
    except StorageError as error:
        raise StorageError(hint.add_to(str(error))) from None
    except WorkerError as error:
        raise WorkerError(hint.add_to(str(error))) from None
    except KeyboardInterrupt:
        hint.tell()
        raise


class Hint:
    """How to go on with a run that has begun; told once."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._told = folder, False

    def add_to(self, text: str) -> str:
        """The text with the hint behind it, where a run has begun."""
        return f"{text}; {self._text}" if self._folder.settings.is_file() else text

    def tell(self) -> None:
        """Write the hint to standard error, where a run has begun."""
        if self._folder.settings.is_file() and not self._told:
            self._told = True
            typer.echo(self._text, err=True)

    @property
    def _text(self) -> str:
        return (
            f"nothing is lost, to go on: haq search --resume {shlex.quote(str(self._folder.path))}"
        )


def default_folder(model: str) -> Path:
    """A new folder named by model and time (UTC)."""
    return Path("runs") / f"{model}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
