"""`haq train`."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    model: Annotated[str, typer.Option(help="Network to train.")] = "mbv2",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the 60,000 images.")] = 12,
    batch: Annotated[int, typer.Option(min=2, help="Images a step.")] = 64,
    rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = 0.06,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and weights.")] = Path(
        "runs/train"
    ),
) -> None:
    """Train a network on Fashion-MNIST from disk; run the same command again to resume."""
    import torch

    from haq.data import fashion_mnist
    from haq.train import Recipe, save_weights
    from haq.train import train as run
    from haq.zoo import NetConfig, build

    train_images = fashion_mnist.load_full("train")
    test_images = fashion_mnist.load_full("t10k")
    torch.manual_seed(seed)
    net = build(NetConfig(model))
    recipe = Recipe(epochs=epochs, batch=batch, peak_rate=rate, seed=seed)
    for done in run(net, train_images, test_images, recipe, out):
        typer.echo(
            f"epoch {done.epoch}/{epochs}  loss {done.loss:.4f}  top-1 {done.top1:.4f}"
            f"  {done.seconds:.0f} s"
        )
    save_weights(net, out / f"{model}.safetensors")
    typer.echo(f"weights: {out / f'{model}.safetensors'}")
