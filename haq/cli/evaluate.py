"""`haq evaluate`."""

from __future__ import annotations

import json
import time
from enum import Enum
from typing import Annotated

import typer

from haq.cli._options import (
    CalibrationOption,
    DataOption,
    InputOption,
    JsonOption,
    ModelOption,
    Observer,
    ObserverOption,
    Padding,
    PaddingOption,
    WeightsOption,
)


class Arithmetic(str, Enum):
    """How integers are computed."""

    auto = "auto"
    ncnn = "ncnn"
    simulated = "simulated"


def evaluate(
    policy: Annotated[
        str, typer.Option(help="policy.json, or 8, 16, 32, or wNaM such as w4a8.")
    ] = "8",
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = 32,
    padding: PaddingOption = Padding.torch,
    data: DataOption = "sample",
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    arithmetic: Annotated[
        Arithmetic,
        typer.Option(help="ncnn: signed 8 bits; simulated: unsigned behind ReLU; auto: by bits."),
    ] = Arithmetic.auto,
    as_json: JsonOption = False,
) -> None:
    """Score a policy by fake quantization, as the deployed engine computes."""
    from haq.data import load_calibration, load_images
    from haq.policies import read_policy
    from haq.prepare import arithmetic_of, load_network, make_evaluator, make_subject
    from quant.ncnn.runtime import capabilities

    start = time.monotonic()
    config, network = load_network(model, weights, input_size, padding.value)
    chosen = read_policy(policy, network.graph.layer_names)
    images = load_images(data, input_size)
    ranges_from = load_calibration(data, calibration, images, input_size)
    subject = make_subject(config, network, ranges_from, observer.value)
    kind = arithmetic_of(chosen) if arithmetic is Arithmetic.auto else arithmetic.value
    evaluator = make_evaluator(subject, images, capabilities(), kind)
    score = evaluator.score([chosen])[0]
    result = {
        "top1": score.top1,
        "float_top1": evaluator.float_top1,
        "kl": score.kl,
        "agreement": score.agreement,
        "images": score.images,
        "seconds": round(time.monotonic() - start, 2),
    }
    typer.echo(
        f"top-1 {score.top1:.4f} (float {evaluator.float_top1:.4f})  KL {score.kl:.3e}  "
        f"agreement {score.agreement:.4f}  {score.images} images, {kind} arithmetic",
        err=as_json,
    )
    if as_json:
        print(json.dumps(result))
