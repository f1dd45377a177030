"""Training of a network: SGD with warm-up and linear decay, resumable to the bit."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from haq.augment import augment
from haq.data.images import Images, normalise
from haq.data.label import UNKNOWN
from haq.store.run_folder import make_folder
from quant.errors import InputError
from quant.evaluate import check_labels, shares_right
from quant.graph import Floats


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters; `warmup` is the part of all steps in which the rate rises."""

    epochs: int = 10
    batch: int = 64
    peak_rate: float = 0.06
    warmup: float = 0.08
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0


class Epoch(NamedTuple):
    """A finished epoch: mean training loss, top-1 on held-out images or their pixels, seconds."""

    epoch: int
    loss: float
    top1: float
    seconds: float


def train(
    net: nn.Module, train_images: Images, test_images: Images, recipe: Recipe, folder: Path
) -> Iterator[Epoch]:
    """Train, yielding after every epoch; resumes from `folder` if it holds a checkpoint.

    Order and augmentation depend on (seed, epoch) alone; the optimizer's momenta and the state of
    torch's generator, which dropout draws from, are saved: so an interrupted run ends in the same
    weights as a straight one. Raises InputError where the folder or the recipe cannot be used,
    DataError where the labels do not fit the network.
    """
    if recipe.batch > len(train_images):
        raise InputError(f"a batch of {recipe.batch} needs as many images, got {len(train_images)}")
    first = train_images.at(slice(0, 1))
    check_labels(predict(net, first), first.labels)
    make_folder(folder)
    torch.manual_seed(recipe.seed)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(net, recipe)
    for epoch in range(resume(net, optimizer, recipe, folder), recipe.epochs):
        start = time.monotonic()
        loss = train_epoch(net, optimizer, train_images, recipe, epoch)
        top1 = measure_top1(net, test_images)
        save_checkpoint(net, optimizer, recipe, epoch + 1, folder)
        yield log_epoch(Epoch(epoch + 1, loss, top1, time.monotonic() - start), folder)


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on convolution and linear weights only."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=True)


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear rise over the warm-up, then linear fall to zero."""
    rise = max(1, int(steps * recipe.warmup))
    if step < rise:
        return recipe.peak_rate * (step + 1) / rise
    return recipe.peak_rate * (steps - step) / (steps - rise)


def train_epoch(
    net: nn.Module, optimizer: torch.optim.SGD, images: Images, recipe: Recipe, epoch: int
) -> float:
    """One pass over the shuffled images; returns the mean loss."""
    net.train()
    rng = np.random.default_rng((recipe.seed, epoch))
    per_epoch = len(images) // recipe.batch
    order = rng.permutation(len(images))[: per_epoch * recipe.batch].reshape(per_epoch, -1)
    total = 0.0
    for index, rows in enumerate(order):
        rate = learning_rate(epoch * per_epoch + index, per_epoch * recipe.epochs, recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = augment(images.at(rows), rng)
        x = torch.from_numpy(normalise(batch.pixels))
        loss = F.cross_entropy(
            net(x.contiguous(memory_format=torch.channels_last)),
            torch.from_numpy(batch.labels),
            ignore_index=UNKNOWN,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item()
    return total / per_epoch


def measure_top1(net: nn.Module, images: Images, batch: int = 250) -> float:
    """Share of images, or of pixels, whose largest logit is the label's."""
    return float(shares_right(predict(net, images, batch), images.labels).mean())


@torch.no_grad()
def predict(net: nn.Module, images: Images, batch: int = 250) -> Floats:
    """Logits (N, classes), or of every pixel, of all images."""
    net.eval()
    found = []
    for start in range(0, len(images), batch):
        x = torch.from_numpy(normalise(images.pixels[start : start + batch]))
        found.append(net(x.contiguous(memory_format=torch.channels_last)).contiguous().numpy())
    return np.concatenate(found)


def save_checkpoint(
    net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe, epoch: int, folder: Path
) -> None:
    """Replace `checkpoint.safetensors` by weights, momenta, generator, recipe, epochs done."""
    state = {f"net.{k}": v.contiguous() for k, v in net.state_dict().items()}
    state |= {f"momentum.{k}": v.contiguous() for k, v in momenta(net, optimizer).items()}
    state["generator"] = torch.get_rng_state()
    partial = folder / "checkpoint.partial"
    save_file(state, partial, {"epoch": str(epoch), "recipe": json.dumps(asdict(recipe))})
    partial.replace(folder / "checkpoint.safetensors")


def momenta(net: nn.Module, optimizer: torch.optim.SGD) -> dict[str, Tensor]:
    """Momentum buffers by parameter name."""
    return {
        name: optimizer.state[parameter]["momentum_buffer"]
        for name, parameter in net.named_parameters()
        if "momentum_buffer" in optimizer.state[parameter]
    }


def resume(net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe, folder: Path) -> int:
    """Put a checkpoint back and return the epochs it has; 0 where there is none."""
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return 0
    epoch, saved = read_header(path)
    if saved != asdict(recipe):
        raise InputError(f"{path} was made by another recipe: name another --out or remove it")
    state = load_file(path)
    net.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("net.")})
    for name, parameter in net.named_parameters():
        momentum = state[f"momentum.{name}"].contiguous(
            memory_format=torch.channels_last if parameter.ndim == 4 else torch.contiguous_format
        )
        optimizer.state[parameter]["momentum_buffer"] = momentum
    torch.set_rng_state(state["generator"])
    return epoch


def read_header(path: Path) -> tuple[int, dict[str, float]]:
    """Epochs done and recipe, from the metadata of a checkpoint. Raises InputError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata()
        return int(metadata["epoch"]), json.loads(metadata["recipe"])
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise InputError(f"{path} is no checkpoint of a training: name another --out") from None


def log_epoch(epoch: Epoch, folder: Path) -> Epoch:
    """Append the epoch to `log.jsonl`."""
    with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(epoch._asdict()) + "\n")
    return epoch


def save_weights(net: nn.Module, path: Path) -> None:
    """Write the weights alone, contiguous, without torch's batch counters' momenta."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, partial)
    partial.replace(path)
