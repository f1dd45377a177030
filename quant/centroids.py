"""Training of shared weights: indexes stay, and each centroid moves by what its weights would.

The gradient of a centroid is the sum of the gradients of its weights, as in Deep Compression (Han
et al. 2016) and in HAQ. What is learned are the float network's own answers and its feature maps
(Hinton et al. 2015; Romero et al. 2015), so that images need no labels. Without the feature maps
a network that was lost altogether does not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, cos, pi
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from quant.float_net import apply_layer, run_nodes, to_tensors
from quant.graph import Floats, Graph, Layer, Network, Node
from quant.pool import one_thread
from quant.shared import Clusters, SharedLayer, SharedLayers

LEAST_VARIANCE = 1e-8
LEAST_UNIT = 1e-2
"""Usual size of a bias that is zero, so that it can move at all."""
RISING_STEPS = 5

Weigh = Callable[[Layer], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class CentroidRecipe:
    """Hyper-parameters; they suit some hundred images.

    `rate` is the size of Adam's steps, as a share of the root mean square of a layer's weights, or
    of its bias; it rises over five steps and falls to zero as a quarter of a cosine. `features` is
    what the mean relative squared error of the feature maps counts beside a nat of KL.
    """

    epochs: int = 15
    batch: int = 10
    rate: float = 3e-3
    features: float = 10.0
    seed: int = 0


class Finetuned(NamedTuple):
    """A finished epoch: its number from 1, its mean KL in nats, and the layers after it."""

    epoch: int
    kl: float
    layers: SharedLayers


def finetune_centroids(
    network: Network,
    shared: SharedLayers,
    images: Tensor,
    recipe: CentroidRecipe,
    labels: NDArray[np.int64] | None = None,
) -> Iterator[Finetuned]:
    """Train centroids and biases, yielding after every epoch; the last one is the result.

    `images` are normalised (N, C, H, W). The loss is KL(float || shared) and the error of the
    feature maps, and where `labels` (N,) are given the cross entropy from these. Layers in float
    learn their bias only. Deterministic for a seed, on any number of threads.
    """
    student = {name: TrainedLayer(layer) for name, layer in shared.items()}
    loss = Loss(network, student, recipe.features)
    optimizer = torch.optim.Adam([p for layer in student.values() for p in layer.parameters()])
    answers = None if labels is None else torch.from_numpy(labels)
    rng = np.random.default_rng(recipe.seed)
    per_epoch = ceil(len(images) / recipe.batch)
    for epoch in range(recipe.epochs):
        with one_thread():
            total = 0.0
            batches = torch.split(torch.from_numpy(rng.permutation(len(images))), recipe.batch)
            for index, rows in enumerate(batches):
                set_rate(optimizer, recipe, epoch * per_epoch + index, per_epoch * recipe.epochs)
                kl, all_of_it = loss(images[rows], None if answers is None else answers[rows])
                optimizer.zero_grad()
                all_of_it.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += kl.item() * len(rows)
        layers = {name: layer.stored() for name, layer in student.items()}
        yield Finetuned(epoch + 1, total / len(images), layers)


class Loss:
    """How far shared layers are from the float network."""

    def __init__(
        self, network: Network, student: Mapping[str, TrainedLayer], features: float
    ) -> None:
        self.graph, self.student, self.features = network.graph, student, features
        self.teacher = to_tensors(network)

    def __call__(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The KL alone and the whole loss."""
        with torch.no_grad():
            wanted = run(self.graph, images, lambda layer: self.teacher[layer.name])
        found = run(self.graph, images, lambda layer: self.student[layer.name].tensors())
        kl = divergence(found.logits, wanted.logits)
        loss = kl + self.features * feature_error(found.features, wanted.features)
        return kl, loss if labels is None else loss + F.cross_entropy(found.logits, labels)


class TrainedLayer:
    """A shared layer whose centroids and bias are trained, in units of their usual size."""

    def __init__(self, layer: SharedLayer) -> None:
        self.layer = layer
        self.bias = Offset(layer.bias, max(root_mean_square(layer.bias), LEAST_UNIT))
        self.weight: Offset | Tensor
        if isinstance(layer.weight, Clusters):
            self.indexes = torch.from_numpy(layer.weight.indexes.astype(np.int64))
            unit = root_mean_square(layer.weight.weight)
            self.weight = Offset(layer.weight.centroids, unit)
        else:
            self.weight = torch.from_numpy(layer.weight)

    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [p.growth for p in (self.bias, self.weight) if isinstance(p, Offset)]

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Weight and bias, through which gradients flow."""
        if isinstance(self.weight, Offset):
            return self.weight.value()[self.indexes], self.bias.value()
        return self.weight, self.bias.value()

    def stored(self) -> SharedLayer:
        """The layer as it is by now."""
        weight = self.layer.weight
        if isinstance(weight, Clusters) and isinstance(self.weight, Offset):
            weight = Clusters(weight.indexes, self.weight.floats())
        return SharedLayer(weight, self.bias.floats())


class Offset:
    """Numbers that are trained: start + unit * growth."""

    def __init__(self, start: Floats, unit: float) -> None:
        self.start, self.unit = torch.from_numpy(start), unit
        self.growth = torch.zeros(len(start), requires_grad=True)

    def value(self) -> Tensor:
        """The numbers."""
        return self.start + self.unit * self.growth

    def floats(self) -> Floats:
        """The numbers as they are by now, as an array."""
        values: Floats = self.value().detach().numpy()
        return values


class Answer(NamedTuple):
    """Logits (N, classes) and the output of every quantizable layer."""

    logits: Tensor
    features: Mapping[str, Tensor]


def run(graph: Graph, x: Tensor, weigh: Weigh) -> Answer:
    """Run a network with weights and biases by layer."""
    features: dict[str, Tensor] = {}

    def note(node: Node, value: Tensor) -> Tensor:
        if node.layer is not None:
            features[node.name] = value
        return value

    image, *others = graph.nodes
    logits = run_nodes(
        others, {image.name: x}, lambda layer, value: apply_layer(layer, value, *weigh(layer)), note
    )
    return Answer(logits, features)


def divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean KL from the wanted logits over images, or over their pixels, in nats."""
    ours, theirs = logits.log_softmax(1), wanted.log_softmax(1)
    found = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return found / logits[0, 0].numel()


def feature_error(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """Mean over the layers of the squared error as a share of the variance."""
    errors = [
        F.mse_loss(found[name], value) / (value.var() + LEAST_VARIANCE)
        for name, value in wanted.items()
    ]
    return torch.stack(errors).mean()


def set_rate(optimizer: torch.optim.Adam, recipe: CentroidRecipe, step: int, steps: int) -> None:
    """The rate of a step, from 0."""
    rising = min(1.0, (step + 1) / RISING_STEPS)
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate * rising * cos(pi / 2 * step / steps)


def root_mean_square(values: Floats) -> float:
    """Usual size of values."""
    return float(np.sqrt(np.mean(np.square(values))))
