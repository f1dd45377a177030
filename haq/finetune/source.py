"""Where a stage's batches come from: images, or values of a node that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from haq.augment import augment
from haq.data import Images, normalise
from haq.finetune.recipe import Recipe
from haq.finetune.stages import Stage
from haq.finetune.teacher import run_all
from quant.learned import LearnedNet

KEEP_BATCH = 500
"""Images that are normalised at a time where values are kept."""
Rows = NDArray[np.int64]


class Batch(NamedTuple):
    """Input of a stage (N, C, H, W), the teacher's logits or None, and labels (N,) or (N, H, W)."""

    x: Tensor
    wanted: Tensor | None
    labels: Tensor

    def split(self, size: int) -> Iterator[Batch]:
        """The same in parts of at most `size` images."""
        for first in range(0, len(self.x), size):
            rows = slice(first, first + size)
            wanted = None if self.wanted is None else self.wanted[rows]
            yield Batch(self.x[rows], wanted, self.labels[rows])


class Source(Protocol):
    """Gives a stage its batches."""

    def draw(self, rows: Rows, rng: np.random.Generator) -> Batch:
        """The batch of these images."""


class FromImages:
    """Images, flipped and shifted at random where asked, and the teacher's logits of just these."""

    def __init__(
        self, images: Images, teacher: LearnedNet | None, augmented: bool, device: torch.device
    ) -> None:
        self._images, self._teacher = images, teacher
        self._augmented, self._device = augmented, device

    def draw(self, rows: Rows, rng: np.random.Generator) -> Batch:
        """The batch of these images."""
        images = self._images.at(rows)
        if self._augmented:
            images = augment(images, rng)
        x = to_device(images.pixels, self._device)
        wanted = None if self._teacher is None else run_all(self._teacher, x)
        labels = torch.from_numpy(images.labels).to(self._device)
        return Batch(x, wanted, labels)


class FromNode:
    """Values of the node where a stage starts, computed once for all images as they are."""

    def __init__(
        self,
        net: LearnedNet,
        node: str,
        images: Images,
        teacher: LearnedNet | None,
        device: torch.device,
    ) -> None:
        self._device, self._labels = device, torch.from_numpy(images.labels)
        values, wanted = [], []
        for first in range(0, len(images), KEEP_BATCH):
            x = to_device(images.pixels[first : first + KEEP_BATCH], device)
            values.append(run_all(net, x, node).cpu())
            if teacher is not None:
                wanted.append(run_all(teacher, x).cpu())
        self._values = torch.cat(values)
        self._wanted = torch.cat(wanted) if wanted else None

    def draw(self, rows: Rows, rng: np.random.Generator) -> Batch:
        """The batch of these images."""
        x = self._values[rows].contiguous(memory_format=torch.channels_last)
        wanted = None if self._wanted is None else self._wanted[rows].to(self._device)
        return Batch(x.to(self._device), wanted, self._labels[rows].to(self._device))


def make_source(
    net: LearnedNet,
    stage: Stage,
    images: Images,
    teacher: LearnedNet | None,
    recipe: Recipe,
    device: torch.device,
) -> Source:
    """Images for a stage that begins at the image, kept values for others."""
    if stage.start == net.graph.nodes[0].name:
        return FromImages(images, teacher, recipe.augment, device)
    return FromNode(net, stage.start, images, teacher, device)


def to_device(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Normalised images, channels last."""
    x = torch.from_numpy(normalise(pixels))
    return x.contiguous(memory_format=torch.channels_last).to(device)
