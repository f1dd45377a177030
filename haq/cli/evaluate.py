"""`haq evaluate`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from haq.cli._options import (
    BoardOption,
    CalibrationOption,
    CaOption,
    DataOption,
    Device,
    DeviceOption,
    EqualizeOption,
    InputOption,
    JsonOption,
    KeyOption,
    LayersOption,
    MetricOption,
    ModelOption,
    Observer,
    ObserverOption,
    PaddingOption,
    QuantizerName,
    QuantizerOption,
    WeightsOption,
    padding_name,
)
from haq.names import usual_data
from quant.errors import InputError

if TYPE_CHECKING:
    from haq.data import Images
    from haq.metrics import Metric
    from haq.prepare import Subject
    from haq.search.memory import Evaluator
    from quant.evaluate import Score
    from quant.policy import Policy
    from quant.quantized import Quantizer


class Where(str, Enum):
    """Who computes."""

    here = "here"
    board = "board"


class Arithmetic(str, Enum):
    """How integers are computed."""

    auto = "auto"
    ncnn = "ncnn"
    simulated = "simulated"


class Engine(str, Enum):
    """What computes."""

    auto = "auto"
    torch = "torch"
    ncnn = "ncnn"
    both = "both"


def evaluate(
    policy: Annotated[
        str | None,
        typer.Option(help="policy.json, or 8, 16, 32, or wNaM such as w4a8 [default: 8]."),
    ] = None,
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    metric: MetricOption = None,
    observer: ObserverOption = Observer.auto,
    equalize: EqualizeOption = False,
    arithmetic: Annotated[
        Arithmetic,
        typer.Option(help="ncnn: signed 8 bits; simulated: unsigned behind ReLU; auto: by bits."),
    ] = Arithmetic.auto,
    on: Annotated[
        Where,
        typer.Option(help="here: on this machine; board: by the ncnn of a device agent."),
    ] = Where.here,
    engine: Annotated[
        Engine,
        typer.Option(
            "--evaluate",
            help="ncnn: the deployed network, or its integers in ncnn's float engine; torch: fake "
            "quantization; both: as executed by ncnn and as fake-quantized; auto: ncnn, and torch "
            "where ncnn cannot.",
        ),
    ] = Engine.auto,
    device: DeviceOption = Device.cpu,
    quantizer: QuantizerOption = QuantizerName.best,
    layers: LayersOption = None,
    board: BoardOption = None,
    board_key: KeyOption = None,
    board_ca: CaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a policy: as the engine computes it, or simulated, or on the board itself."""
    from haq.cli._progress import show_progress
    from haq.data import load_calibration, load_images
    from haq.metrics import beside_top1
    from haq.policies import choose_policy
    from haq.prepare import arithmetic_of, load_network, make_subject
    from haq.quantizers import make_quantizer
    from quant.saved import load_layers

    if board is not None and on is Where.here:
        raise InputError("--board is only asked with --on board")
    if on is Where.board and (engine, device) != (Engine.auto, Device.cpu):
        raise InputError("--evaluate and --device are for --on here: a board computes by its ncnn")
    shares = quantizer is QuantizerName.kmeans
    if on is Where.board and (shares or layers):
        raise InputError(
            "--quantizer kmeans and --layers are for --on here: a board is sent float weights only"
        )
    start = time.monotonic()
    data = data or usual_data(model)
    config, network = load_network(model, weights, input_size, padding_name(padding), data)
    judge = beside_top1(metric, network.graph)
    saved = None if layers is None else load_layers(layers, network)
    chosen = choose_policy(policy, saved, network.graph.layer_names, default="8")
    images = load_images(data, config.input_size, config.channels)
    ranges_from = load_calibration(data, calibration, images, config.input_size)
    subject = make_subject(config, network, ranges_from, observer.value, equalize)
    if on is Where.board:
        evaluating = [on_board(subject, images, board, board_key, board_ca, judge)]
    else:
        kind = arithmetic_of(chosen) if arithmetic is Arithmetic.auto else arithmetic.value
        kind = "simulated" if shares or saved else kind
        hows = engines_of(engine, chosen, kind)
        with show_progress() as progress:
            made = saved or make_quantizer(quantizer.value, subject, ranges_from, kind, progress)
            made.layers(chosen)
        given = subject, images, chosen, kind
        evaluating = [here(*given, how, device.value, made, judge) for how in hows]
    found = []
    for one in evaluating:
        with one as (evaluator, words):
            found.append((evaluator.score([chosen])[0], evaluator.float_top1))
            typer.echo(in_words(*found[-1], words), err=as_json)
    result = in_json(*found[0], round(time.monotonic() - start, 2))
    if engine is Engine.both:
        result["simulated"] = numbers(found[1][0])
    if as_json:
        print(json.dumps(result))


def engines_of(
    engine: Engine, policy: Policy, kind: Literal["ncnn", "simulated"]
) -> tuple[Literal["auto", "torch", "ncnn"], ...]:
    """What computes, the executed network first. Raises InputError where nothing is executed."""
    if engine is not Engine.both:
        return (engine.value,)
    if kind != "ncnn" or not policy.is_deployable:
        raise InputError(
            "--evaluate both is for policies that ncnn executes: 8, 16 and 32 bits in its own "
            "arithmetic"
        )
    return "ncnn", "torch"


def in_words(score: Score, float_top1: float, how: str) -> str:
    """A score on one line."""
    metric = f"{score.metric.name} {score.metric.value:.4f}  " if score.metric else ""
    return (
        f"{metric}top-1 {score.top1:.4f} (float {float_top1:.4f})  KL {score.kl:.3e}  "
        f"agreement {score.agreement:.4f}  {score.images} images, {how}"
    )


def in_json(score: Score, float_top1: float, seconds: float) -> dict[str, Any]:
    """The last line on standard output of `haq evaluate --json`."""
    return {
        "top1": score.top1,
        "float_top1": float_top1,
        "kl": score.kl,
        "agreement": score.agreement,
        **({"metric": asdict(score.metric)} if score.metric else {}),
        "images": score.images,
        "seconds": seconds,
    }


def numbers(score: Score) -> dict[str, float]:
    """A score without the images."""
    return {"top1": score.top1, "kl": score.kl, "agreement": score.agreement}


@contextmanager
def on_board(
    subject: Subject,
    images: Images,
    board: str | None,
    key: str | None,
    ca: Path | None,
    metric: Metric | None = None,
) -> Iterator[tuple[Evaluator, str]]:
    """An evaluator by the ncnn of a board, and how it computes in words."""
    from haq.board_evaluator import BoardEvaluator
    from haq.connect import open_board

    with open_board(board, key, ca) as device:
        yield BoardEvaluator(subject, images, device, metric), f"ncnn on {device.describe().cpu}"


@contextmanager
def here(
    subject: Subject,
    images: Images,
    policy: Policy,
    kind: Literal["ncnn", "simulated"],
    how: Literal["auto", "torch", "ncnn"],
    device: Literal["cpu", "cuda"],
    quantizer: Quantizer | None = None,
    metric: Metric | None = None,
) -> Iterator[tuple[Evaluator, str]]:
    """An evaluator on this machine, and how it computes the policy in words."""
    from haq.evaluators import make_evaluator
    from haq.ways import WORDS
    from quant.ncnn.runtime import capabilities

    given = capabilities(), kind, how, device, quantizer, metric
    evaluator = make_evaluator(subject, images, *given)
    yield evaluator, f"{kind} arithmetic, by {WORDS[evaluator.way(policy)]}"
