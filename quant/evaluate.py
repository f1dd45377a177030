"""What accuracy a policy leaves: top-1, KL from the float logits, agreement, a metric.

Logits are (N, classes), or for every pixel (N, classes, H, W). There the top-1, KL and agreement of
an image are means over its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from quant.errors import DataError
from quant.fake_quant import FakeQuantNet
from quant.float_net import batch_size
from quant.policy import Policy
from quant.pool import run_all

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]
"""Classes (N,) or (N, H, W); -1 does not count."""
Values = NDArray[np.float64]
Forward = Callable[[Tensor], Tensor]
Run = Callable[[Forward, Sequence[Tensor]], Iterable[Tensor]]
"""Computes all batches, in order."""
GPU_BATCH = 64
"""Images at a time where no cache of a CPU limits them."""
KL_IMAGES = 64
"""Images at a time whose logits are there in float64."""


class Metric(Protocol):
    """One number for all images, larger is better."""

    @property
    def name(self) -> str:
        """What users call it."""

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """The value. Raises InputError where there is none."""


@dataclass(frozen=True)
class Measured:
    """The value of a metric."""

    name: str
    value: float


@dataclass(frozen=True)
class Score:
    """Shares in 0..1; `kl` is the mean of KL(float || quantized) over the images, in nats.

    `metric` is there where another one than top-1 was asked for.
    """

    top1: float
    kl: float
    agreement: float
    images: int
    metric: Measured | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; without a metric where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: Any) -> Score:
        """Inverse of `to_json`."""
        metric = data.get("metric")
        return cls(**{**data, "metric": Measured(**metric) if metric else None})


@dataclass(frozen=True)
class Seen:
    """What a policy does to each image, (N,) each.

    `kl` is KL(float || quantized) in nats; `right` 1 where the class is the label's and `same` 1
    where it is the float network's, else 0, or the share of an image's pixels where that is so.
    `metric` is that of all these images together, if one was asked for.
    """

    kl: Values
    right: Values
    same: Values
    metric: Measured | None = None

    def __len__(self) -> int:
        return len(self.kl)


def compare(
    logits: Logits, float_logits: Logits, labels: Labels, metric: Metric | None = None
) -> Score:
    """Score logits against the float network's and the labels. Raises DataError as `see`."""
    return score_of(see(logits, float_logits, labels, metric))


def see(logits: Logits, float_logits: Logits, labels: Labels, metric: Metric | None = None) -> Seen:
    """Logits beside the float network's and the labels, image by image.

    Raises DataError where there are not as many labels, InputError where a metric has no value.
    """
    return Seen(
        divergences(logits, float_logits),
        shares_right(logits, labels),
        image_means(logits.argmax(1) == float_logits.argmax(1)),
        None if metric is None else Measured(metric.name, metric(logits, labels)),
    )


def score_of(seen: Seen) -> Score:
    """The score of all images that were seen."""
    return Score(
        top1=float(seen.right.mean()),
        kl=float(seen.kl.mean()),
        agreement=float(seen.same.mean()),
        images=len(seen),
        metric=seen.metric,
    )


def shares_right(logits: Logits, labels: Labels) -> Values:
    """The share of each image's labels that are the highest logit (N,); 0 without any label.

    Raises DataError as `check_labels`.
    """
    check_labels(logits, labels)
    known = image_means(labels >= 0)
    right = image_means(logits.argmax(1) == labels)
    return np.divide(right, known, out=np.zeros(len(labels)), where=known > 0)


def check_labels(logits: Logits, labels: Labels) -> None:
    """Raise DataError unless there is a label for every image, or for every pixel of the output."""
    if (len(logits), *logits.shape[2:]) != labels.shape:
        raise DataError(
            f"the network's output of shape {logits.shape} does not fit labels of shape "
            f"{labels.shape}"
        )


def image_means(values: NDArray[Any]) -> Values:
    """The mean (N,) over all that belongs to an image, (N, ...)."""
    return np.asarray(values.reshape(len(values), -1).mean(1, dtype=np.float64))


def divergences(logits: Logits, float_logits: Logits) -> Values:
    """KL(float || quantized) of every image (N,), in nats."""
    ours, theirs = (torch.split(torch.from_numpy(x), KL_IMAGES) for x in (logits, float_logits))
    return np.concatenate([divergence(a, b) for a, b in zip(ours, theirs, strict=True)])


def divergence(ours: Tensor, theirs: Tensor) -> Values:
    """The same for some images, in float64."""
    found, wanted = (logits.double().log_softmax(1) for logits in (ours, theirs))
    each = F.kl_div(found, wanted, reduction="none", log_target=True).sum(1)
    return image_means(each.clamp(min=0.0).numpy())


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
    batches = run(lambda b: forward(normalise(b.to(device))).cpu(), torch.split(images, size))
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
        labels: Labels,
        float_logits: Logits,
        normalise: Forward = as_it_is,
        metric: Metric | None = None,
    ) -> None:
        """`images` (N, C, H, W) stay in memory as they are; `normalise` makes floats of a batch.

        `float_logits` are the float network's. Raises DataError where the labels do not fit these.
        """
        check_labels(float_logits, labels)
        self.net, self.labels, self.float_logits = net, labels, float_logits
        self.images = images.contiguous(memory_format=torch.channels_last)
        self._normalise, self._metric = normalise, metric

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float(shares_right(self.float_logits, self.labels).mean())

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
        given = self.float_logits, self.labels, self._metric
        return [compare(self.logits(policy), *given) for policy in policies]
