"""`haq export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haq.cli._options import (
    BoardOption,
    CalibrationOption,
    CaOption,
    DataOption,
    EqualizeOption,
    InputOption,
    JsonOption,
    KeyOption,
    LayersOption,
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
    from quant.ncnn.capabilities import Capabilities


def export(
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    policy: Annotated[
        str | None, typer.Option(help="policy.json, or 8, 16, 32, or wNaM [default: 8].")
    ] = None,
    model: ModelOption = "mbv2",
    weights: WeightsOption = None,
    input_size: InputOption = None,
    padding: PaddingOption = None,
    data: DataOption = None,
    calibration: CalibrationOption = None,
    observer: ObserverOption = Observer.auto,
    equalize: EqualizeOption = False,
    quantizer: QuantizerOption = QuantizerName.best,
    layers: LayersOption = None,
    board: BoardOption = None,
    board_key: KeyOption = None,
    board_ca: CaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write ncnn and ONNX networks of a policy, run both, and say how well they agree.

    The ncnn network is built for this machine, or for the kind of machine behind --board.
    """
    from haq.checks import check_exports
    from haq.cli._progress import show_progress
    from haq.data import load_calibration, load_images
    from haq.export import export as write
    from haq.export import open_folder
    from haq.policies import choose_policy
    from haq.prepare import arithmetic_of, check_images, load_network, make_subject
    from haq.quantizers import make_quantizer
    from quant.ncnn.runtime import capabilities
    from quant.saved import load_layers

    data = data or usual_data(model)
    config, network = load_network(model, weights, input_size, padding_name(padding), data)
    saved = None if layers is None else load_layers(layers, network)
    chosen = choose_policy(policy, saved, network.graph.layer_names, default="8")
    if saved is not None and chosen.is_deployable:
        raise InputError("ncnn rounds weights itself: --layers is for policies of other bits")
    images = load_images(data, config.input_size, config.channels)
    ranges_from = load_calibration(data, calibration, images, config.input_size)
    subject = make_subject(config, network, ranges_from, observer.value, equalize)
    check_images(config, images)
    able = capabilities() if board is None else capabilities_of(board, board_key, board_ca)
    folder = open_folder(out, model)
    with show_progress() as progress:
        kind = arithmetic_of(chosen)
        made = saved or make_quantizer(quantizer.value, subject, ranges_from, kind, progress)
        made.layers(chosen)
    write(subject, chosen, able, folder, made)
    found = check_exports(subject, chosen, able, folder, images, made)
    for key, value in found.items():
        typer.echo(f"{key}: {value}", err=as_json)
    if as_json:
        print(json.dumps(found))


def capabilities_of(board: str, key: str | None, ca: Path | None) -> Capabilities:
    """What the ncnn of a board computes in 16 bits."""
    from haq.connect import open_board

    with open_board(board, key, ca) as opened:
        return opened.capabilities()
