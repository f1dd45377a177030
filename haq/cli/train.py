"""`haq train`."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    model: Annotated[str, typer.Option(help="Network to train.")] = "mbv2",
    data: Annotated[
        str,
        typer.Option(
            help="fashion-mnist (full set on disk), faces (drawn by haq, with masks), or images as "
            "`haq finetune --data` takes them."
        ),
    ] = "fashion-mnist",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 12,
    batch: Annotated[int, typer.Option(min=2, help="Images a step.")] = 64,
    rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = 0.06,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and weights.")] = Path(
        "runs/train"
    ),
) -> None:
    """Train a network; run the same command again to resume."""
    import torch

    from haq.data.training import load_training
    from haq.metrics.f1 import F1
    from haq.prepare import check_images, shape_of
    from haq.train import Recipe, predict, save_weights
    from haq.train import train as run
    from haq.zoo import build
    from haq.zoo.loading import plain_config

    config = plain_config(model, images=shape_of(data))
    images, held_out = load_training(data, None, config.input_size, config.channels)
    check_images(config, images)
    torch.manual_seed(seed)
    net = build(config)
    recipe = Recipe(epochs=epochs, batch=batch, peak_rate=rate, seed=seed)
    for done in run(net, images, held_out, recipe, out):
        typer.echo(
            f"epoch {done.epoch}/{epochs}  loss {done.loss:.4f}  top-1 {done.top1:.4f}"
            f"  {done.seconds:.0f} s"
        )
    save_weights(net, out / f"{model}.safetensors")
    if held_out.labels.ndim > 1:
        typer.echo(f"f1 {F1()(predict(net, held_out), held_out.labels):.4f}")
    typer.echo(f"weights: {out / f'{model}.safetensors'}")
