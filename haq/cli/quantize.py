"""`haq quantize`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haq.cli._options import (
    CalibrationOption,
    DataOption,
    InputOption,
    JsonOption,
    ModelOption,
    Observer,
    PaddingOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from haq.data import Images
    from haq.prepare import Subject
    from haq.progress import Progress
    from quant.recipe.table import Table

IMAGES = 64
"""Images of a probe: from so many on the ranks of layers are stable."""


def quantize(
    policy: Annotated[
        str | None,
        typer.Option(help="Quantize this policy as a whole, too: policy.json or wNaM."),
    ] = None,
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    sensitivities: Annotated[
        bool, typer.Option(help="Probe what each layer costs in KL at each number of bits.")
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Quantize every layer at 2 to 8 bits into the cache, and say what each entry costs."""
    from haq.cli._progress import show_progress
    from haq.cli._subject import load_subject
    from haq.policies import read_policy
    from haq.quantizers import cache_folder, find_tables, make_quantizer
    from haq.store import write_json

    start = time.monotonic()
    subject, images = load_subject(
        model, weights, input_size, padding, data, calibration, Observer.auto
    )
    names = subject.network.graph.layer_names
    chosen = None if policy is None else read_policy(policy, names)
    with show_progress() as progress:
        tables = find_tables(subject.network, images, progress, cache_folder())
        found = probe(subject, images, tables, progress) if sensitivities else {}
        if chosen is not None:
            make_quantizer("best", subject, images, "simulated", progress).layers(chosen)
    seconds = round(time.monotonic() - start, 1)
    result = {"cache": str(cache_folder()), "seconds": seconds, "layers": describe(tables, found)}
    if out is not None:
        write_json(out, result)
    typer.echo(f"{len(tables)} layers at 2 to 8 bits in {seconds} s", err=as_json)
    if as_json:
        print(json.dumps(result))


def probe(
    subject: Subject, images: Images, tables: dict[str, Table], progress: Progress
) -> dict[str, Any]:
    """Sensitivities on some of the calibration images, as JSON."""
    from haq.evaluators import make_evaluator
    from haq.sensitivity import measure_sensitivities
    from quant.ncnn.runtime import capabilities
    from quant.recipe.table import TableQuantizer

    some = images.rows(0, min(IMAGES, len(images)) - 1)
    quantizer = TableQuantizer(subject.network, tables)
    evaluator = make_evaluator(subject, some, capabilities(), "simulated", quantizer=quantizer)
    found = measure_sensitivities(evaluator, tables, progress)
    return {n: {"weight": dict(s.weights), "input": dict(s.inputs)} for n, s in found.items()}


def describe(tables: dict[str, Table], kl: dict[str, Any]) -> dict[str, Any]:
    """Errors by bits, as shares of the output's variance, and KL where it was probed."""
    return {
        name: {
            "weight_error": {bits: entry.error for bits, entry in table.weights.items()},
            "input_error": {bits: entry.error for bits, entry in table.inputs.items()},
            **({"kl": kl[name]} if name in kl else {}),
        }
        for name, table in tables.items()
    }
