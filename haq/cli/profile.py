"""`haq profile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    BoardOption,
    CalibrationOption,
    CaOption,
    CoresOption,
    DataOption,
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
    from haq.board import Profile


def profile(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write the table into.")],
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Samples of each entry.")] = 20,
    checks: Annotated[
        int, typer.Option(min=0, max=64, help="Random policies to check the table against.")
    ] = 20,
    threads: ThreadsOption = 1,
    cores: CoresOption = None,
    fresh: FreshOption = False,
    board: BoardOption = None,
    board_key: KeyOption = None,
    board_ca: CaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a table of layer x precision with neighbour transitions, and check it."""
    from haq.board import profile_to_json
    from haq.cli._progress import show_progress
    from haq.cli._subject import load_subject
    from haq.connect import open_board
    from haq.cores import parse_cores
    from haq.prepare import upload
    from haq.store import write_json

    chosen_cores = parse_cores(cores)
    subject, _ = load_subject(model, weights, input_size, padding, data, calibration, observer)
    with (
        show_progress() as progress,
        open_board(board, board_key, board_ca, progress.note) as device,
    ):
        upload(subject, device)
        progress.start("table of layers and pairs", 1)
        found = device.profile(
            rounds=rounds, threads=threads, cores=chosen_cores, checks=checks, fresh=fresh
        )
        progress.advance()
    write_json(out, profile_to_json(found))
    print_profile(found, out)
    if as_json:
        print(json.dumps(profile_to_json(found)))


def print_profile(found: Profile, out: Path) -> None:
    """What the table holds and how well it predicts, on standard error."""
    origin = f", measured before, at {found.measured_at}" if found.cached else ""
    lines = [
        f"{len(found.layers)} layers, {len(found.pairs)} pairs; "
        f"float network {found.reference_ms:.3f} ms{origin}: {out}"
    ]
    if found.check is not None:
        lines.append(
            f"on {len(found.check.measured)} random policies the table is off by "
            f"{found.check.mape:.1%} (MAPE), rank correlation {found.check.spearman:.2f}"
        )
    for line in lines:
        typer.echo(line, err=True)
