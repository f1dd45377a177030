"""`haq finetune`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    CalibrationOption,
    Device,
    DeviceOption,
    InputOption,
    JsonOption,
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
    from haq.finetune import Report


class Stages(str, Enum):
    """What is trained together."""

    whole = "whole"
    blocks = "blocks"


def finetune(
    policy: Annotated[str, typer.Option(help="policy.json, or 8, 16, 32, or wNaM such as w4a4.")],
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Images to train on: sample, fashion-mnist[:FIRST-LAST] (training images), or "
            "PATH[:FIRST-LAST], whose last fifth is held out [default: as for `haq search`]."
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="Images to score on: PATH[:FIRST-LAST] [default: those held out]."),
    ] = None,
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    quantizer: QuantizerOption = QuantizerName.naive,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images in a stage.")] = 2,
    rate: Annotated[
        float, typer.Option(min=0.0, help="Adam's first rate, in steps of the weights.")
    ] = 0.01,
    batch: Annotated[int, typer.Option(min=1, help="Images a step.")] = 32,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill/--no-distill",
            help="Learn the float network's logits, which takes no labels; --no-distill: labels.",
        ),
    ] = True,
    labels: Annotated[
        bool, typer.Option("--labels", help="Learn the labels, too, beside the float network.")
    ] = False,
    temperature: Annotated[
        float, typer.Option(min=0.1, help="Temperature at which logits are learned.")
    ] = 2.0,
    stages: Annotated[
        Stages,
        typer.Option(help="whole: all layers at once; blocks: the last blocks first, then more."),
    ] = Stages.whole,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Flip and shift images at random.")
    ] = True,
    drop: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of activations left in float at random."),
    ] = 0.0,
    device: DeviceOption = Device.cpu,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and augmentation.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and layers.")] = Path(
        "runs/finetune"
    ),
    as_json: JsonOption = False,
) -> None:
    """Train a quantized network: its weights, steps and biases; run it again to resume.

    With some thousand images plain rounding is the better start; with few, --quantizer best.

    The folder's layers are what --layers of evaluate and export takes.
    """
    import torch

    from haq.cli._progress import show_progress
    from haq.data import load_calibration
    from haq.data.training import load_training
    from haq.finetune import Recipe
    from haq.finetune import finetune as run
    from haq.policies import read_policy
    from haq.prepare import arithmetic_of, check_images, load_network, make_subject
    from haq.quantizers import make_quantizer
    from haq.torch_evaluator import check_device

    if quantizer is QuantizerName.kmeans:
        raise InputError("shared weights have no steps to learn: give another --quantizer")
    recipe = Recipe(
        epochs=epochs,
        batch=batch,
        rate=rate,
        distill=distill,
        labels=labels or not distill,
        temperature=temperature,
        stages=stages.value,
        augment=augment,
        drop=drop,
        seed=seed,
    )
    check_device(device.value)
    data = data or usual_data(model)
    config, network = load_network(model, weights, input_size, padding_name(padding), data)
    chosen = read_policy(policy, network.graph.layer_names)
    images, held_out = load_training(data, test, config.input_size, config.channels)
    for some in (images, held_out):
        check_images(config, some)
    ranges_from = load_calibration(data, calibration, images, config.input_size)
    subject = make_subject(config, network, ranges_from, observer.value)
    where = torch.device(device.value)
    with show_progress() as progress:
        kind = arithmetic_of(chosen)
        start = make_quantizer(quantizer.value, subject, ranges_from, kind, progress)
        report = run(network, start, chosen, images, held_out, recipe, out, where, progress)
    tell(report, out, as_json)


def tell(report: Report, out: Path, as_json: bool) -> None:
    """Scores before and after, and where the layers are."""
    for name, score in (("before", report.before), ("after", report.after)):
        typer.echo(
            f"{name + ':':<8}top-1 {score.top1:.4f} (float {report.float_top1:.4f})  "
            f"KL {score.kl:.3e}  agreement {score.agreement:.4f}  {score.images} images",
            err=as_json,
        )
    typer.echo(f"layers: {out} ({report.seconds:.0f} s of training)", err=as_json)
    if as_json:
        print(json.dumps(report.to_json()))
