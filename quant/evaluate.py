"""What accuracy a policy leaves: top-1, KL from the float logits, agreement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from quant.fake_quant import FakeQuantNet
from quant.float_net import batch_size
from quant.policy import Policy

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """Shares in 0..1; `kl` is the mean of KL(float || quantized) over the images, in nats."""

    top1: float
    kl: float
    agreement: float
    images: int


def compare(logits: Logits, float_logits: Logits, labels: NDArray[np.int64]) -> Score:
    """Score logits (N, classes) against the float network's and the labels (N,)."""
    ours = torch.from_numpy(logits).double().log_softmax(1)
    theirs = torch.from_numpy(float_logits).double().log_softmax(1)
    divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    chosen = logits.argmax(1)
    return Score(
        top1=float((chosen == labels).mean()),
        kl=max(0.0, float(divergence)),
        agreement=float((chosen == float_logits.argmax(1)).mean()),
        images=len(labels),
    )


def run_batches(forward: Callable[[Tensor], Tensor], images: Tensor) -> Logits:
    """Logits of all images, a batch at a time."""
    batches = [forward(batch) for batch in torch.split(images, batch_size(images))]
    logits: Logits = torch.cat(batches).numpy().astype(np.float32)
    return logits


class FakeQuantEvaluator:
    """Scores policies on fixed images with the fake-quantized network."""

    def __init__(
        self, net: FakeQuantNet, images: Tensor, labels: NDArray[np.int64], float_logits: Logits
    ) -> None:
        """`images` are normalised, (N, C, H, W); `float_logits` are the float network's."""
        self.net, self.labels, self.float_logits = net, labels, float_logits
        self.images = images.contiguous(memory_format=torch.channels_last)

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float((self.float_logits.argmax(1) == self.labels).mean())

    def logits(self, policy: Policy) -> Logits:
        """Logits (N, classes) under a policy."""
        return run_batches(lambda x: self.net.logits(x, policy), self.images)

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies."""
        return [compare(self.logits(p), self.float_logits, self.labels) for p in policies]
