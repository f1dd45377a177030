"""The training itself: an epoch after another, stage after stage, resumable to the bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.optim import Adam

from haq.data import Images
from haq.finetune.checkpoint import (
    Task,
    read_checkpoint,
    restore_net,
    restore_optimizer,
    save_checkpoint,
)
from haq.finetune.loss import sum_loss
from haq.finetune.recipe import Recipe
from haq.finetune.source import Batch, Rows, Source, make_source
from haq.finetune.stages import Stage, plan_stages
from haq.finetune.teacher import part_size
from haq.progress import Progress, Silent
from haq.store.run_folder import make_folder
from quant.errors import InputError
from quant.learned import KINDS, LearnedNet
from quant.qdrop import Drop


class Epoch(NamedTuple):
    """A finished epoch of a stage, both counted from 1; its mean loss in nats; seconds."""

    stage: int
    epoch: int
    loss: float
    seconds: float


def train(
    net: LearnedNet,
    teacher: LearnedNet | None,
    images: Images,
    task: Task,
    folder: Path,
    device: torch.device,
    progress: Progress | None = None,
) -> Iterator[Epoch]:
    """Train, yielding after every epoch; resumes from `folder` if it holds a checkpoint.

    All that is random in an epoch depends on (seed, epoch) alone, and Adam's state is saved: an
    interrupted run ends in the same bits as a straight one on the same device and threads. Raises
    InputError where the folder holds another task, or there are fewer images than a batch.
    """
    recipe = task.recipe
    steps, shown = len(images) // recipe.batch, progress or Silent()
    if steps == 0:
        raise InputError(f"a batch of {recipe.batch} needs as many images, got {len(images)}")
    make_folder(folder)
    # The fastest kernels of a GPU sum in any order.
    torch.backends.cudnn.deterministic = True
    net.to(device)
    if teacher is not None:
        teacher.to(device)
    saved = read_checkpoint(folder, task)
    done = restore_net(net, saved)
    for index, stage in enumerate(plan_stages(net.graph, recipe.stages)):
        numbers = range(index * recipe.epochs, (index + 1) * recipe.epochs)
        if done > numbers[-1]:
            continue
        optimizer = make_optimizer(net, stage)
        if done > numbers[0]:
            restore_optimizer(net, optimizer, saved)
        source = make_source(net, stage, images, teacher, recipe, device)
        for number in numbers[max(done - numbers[0], 0) :]:
            start = time.monotonic()
            shown.start(f"stage {index + 1}, epoch {number % recipe.epochs + 1}", steps)
            loss = train_epoch(net, optimizer, stage, source, len(images), recipe, number, shown)
            save_checkpoint(net, optimizer, task, number + 1, folder)
            seconds = time.monotonic() - start
            yield Epoch(index + 1, number % recipe.epochs + 1, loss, seconds)


def make_optimizer(net: LearnedNet, stage: Stage) -> Adam:
    """Adam with a group for each kind of parameters of the stage's layers; others are frozen."""
    chosen = net.train_only(KINDS, stage.layers)
    groups = [{"params": found, "kind": kind} for kind, found in chosen.items() if found]
    return Adam(groups, lr=0.0, fused=True)


def train_epoch(
    net: LearnedNet,
    optimizer: Adam,
    stage: Stage,
    source: Source,
    count: int,
    recipe: Recipe,
    number: int,
    progress: Progress,
) -> float:
    """The epoch `number` of the whole training over `count` images; returns the mean loss."""
    rng = np.random.default_rng((recipe.seed, number))
    drop = make_drop(recipe, number, next(net.parameters()).device)
    order = batches(count, recipe.batch, rng)
    total = 0.0
    for step, rows in enumerate(order):
        passed = (number % recipe.epochs + step / len(order)) / recipe.epochs
        set_rates(optimizer, recipe, passed)
        loss = take_step(net, optimizer, stage, source.draw(rows, rng), recipe, drop)
        progress.advance(f"loss {loss:.4f}")
        total += loss
    return total / len(order)


def take_step(
    net: LearnedNet,
    optimizer: Adam,
    stage: Stage,
    batch: Batch,
    recipe: Recipe,
    drop: Drop | None,
) -> float:
    """One step of the optimizer; the batch is run in parts that fit the caches."""
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros(())
    for part in batch.split(part_size(batch.x)):
        logits = net.run({stage.start: part.x}, net.graph.nodes[-1].name, drop)
        loss = sum_loss(logits, part.wanted, part.labels, recipe) / len(batch.x)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach().cpu()
    optimizer.step()
    return total.item()


def batches(count: int, batch: int, rng: np.random.Generator) -> Rows:
    """Rows (steps, batch) of shuffled images; those that fill no batch are left out."""
    steps = count // batch
    return rng.permutation(count)[: steps * batch].reshape(steps, batch)


def make_drop(recipe: Recipe, number: int, device: torch.device) -> Drop | None:
    """QDrop of an epoch, where asked."""
    if recipe.drop == 0:
        return None
    seed = int(np.random.SeedSequence((recipe.seed, number, 1)).generate_state(1)[0])
    return Drop(recipe.drop, torch.Generator(device).manual_seed(seed))


def set_rates(optimizer: Adam, recipe: Recipe, passed: float) -> None:
    """Rates of all kinds after a share of a stage."""
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate_of(group["kind"], passed)
