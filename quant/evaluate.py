"""What accuracy a policy leaves: top-1, KL from the float logits, agreement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from quant.fake_quant import FakeQuantNet
from quant.float_net import batch_size
from quant.policy import Policy
from quant.pool import run_all

Logits = NDArray[np.float32]
Forward = Callable[[Tensor], Tensor]
Run = Callable[[Forward, Sequence[Tensor]], Iterable[Tensor]]
"""Computes all batches, in order."""
GPU_BATCH = 64
"""Images at a time where no cache of a CPU limits them."""


@dataclass(frozen=True)
class Score:
    """Shares in 0..1; `kl` is the mean of KL(float || quantized) over the images, in nats."""

    top1: float
    kl: float
    agreement: float
    images: int


@dataclass(frozen=True)
class Seen:
    """What a policy does to each image: KL(float || quantized) in nats (N,), chosen class (N,)."""

    kl: NDArray[np.float64]
    chosen: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kl)


def compare(logits: Logits, float_logits: Logits, labels: NDArray[np.int64]) -> Score:
    """Score logits (N, classes) against the float network's and the labels (N,)."""
    return score_of(see(logits, float_logits), float_logits.argmax(1), labels)


def see(logits: Logits, float_logits: Logits) -> Seen:
    """Logits (N, classes) beside the float network's, image by image."""
    return Seen(divergences(logits, float_logits), logits.argmax(1))


def score_of(seen: Seen, float_chosen: NDArray[np.int64], labels: NDArray[np.int64]) -> Score:
    """Score of images whose classes the float network chose as `float_chosen` (N,)."""
    return Score(
        top1=float((seen.chosen == labels).mean()),
        kl=float(seen.kl.mean()),
        agreement=float((seen.chosen == float_chosen).mean()),
        images=len(labels),
    )


def divergences(logits: Logits, float_logits: Logits) -> NDArray[np.float64]:
    """KL(float || quantized) of every image (N,), in nats."""
    ours = torch.from_numpy(logits).double().log_softmax(1)
    theirs = torch.from_numpy(float_logits).double().log_softmax(1)
    found = F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
    return np.asarray(found.clamp(min=0.0).numpy())


def as_it_is(images: Tensor) -> Tensor:
    """Images that are normalised already."""
    return images


def run_batches(
    forward: Forward,
    images: Tensor,
    normalise: Forward = as_it_is,
    device: torch.device | str = "cpu",
    run: Run = map,
) -> Logits:
    """Logits of all images, a batch at a time, normalised and computed on a device."""
    size = batch_size(images) if torch.device(device).type == "cpu" else GPU_BATCH
    batches = run(lambda b: forward(normalise(b).to(device)).cpu(), torch.split(images, size))
    logits: Logits = torch.cat(list(batches)).numpy().astype(np.float32)
    return logits


def runner(device: torch.device) -> Run:
    """On a CPU each batch is a piece of work for one thread, on a GPU one comes after another."""
    return run_all if device.type == "cpu" else map


class FakeQuantEvaluator:
    """Scores policies on fixed images with the fake-quantized network, on its device."""

    def __init__(
        self,
        net: FakeQuantNet,
        images: Tensor,
        labels: NDArray[np.int64],
        float_logits: Logits,
        normalise: Forward = as_it_is,
    ) -> None:
        """`images` (N, C, H, W) stay in memory as they are; `normalise` makes floats of a batch.

        `float_logits` are the float network's.
        """
        self.net, self.labels, self.float_logits = net, labels, float_logits
        self.images = images.contiguous(memory_format=torch.channels_last)
        self._normalise = normalise

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float((self.float_logits.argmax(1) == self.labels).mean())

    def logits(self, policy: Policy, rows: NDArray[np.int64] | None = None) -> Logits:
        """Logits (N, classes) under a policy, or those of some rows."""
        images = self.images
        if rows is not None:
            images = images[rows].contiguous(memory_format=torch.channels_last)
        device = self.net.device
        # Not on the threads of the pool: a quantizer may use these itself.
        self.net.prepare(policy)
        return run_batches(
            lambda x: self.net.logits(x, policy), images, self._normalise, device, runner(device)
        )

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies."""
        return [compare(self.logits(p), self.float_logits, self.labels) for p in policies]
