"""What an error of each weight costs: the diagonal of the Fisher information.

It is the second derivative of KL(float || changed) at the float network, half of which times the
squared error of a weight is the KL to expect. K-means weighted by it spends its centroids where
they matter (Choi, El-Khamy and Lee, ICLR 2017): on small weights of sensitive channels, too, which
one codebook a layer would else give up.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.float_net import apply_layer, run_nodes, to_tensors
from quant.graph import Floats, Network
from quant.pool import one_thread

BATCH = 5
FLOOR = 1e-3
"""Added to every importance, as a share of the layer's mean: few images see no use of a weight."""


@one_thread()
def measure_importance(network: Network, images: Tensor, seed: int = 0) -> Mapping[str, Floats]:
    """Importance of every weight (`Layer.weight_shape`), positive, of mean 1 + FLOOR in each layer.

    From normalised images (N, C, H, W) without labels: classes are drawn from the network's own
    answers, which makes the gradients of a batch's images independent. Deterministic for a seed, on
    any number of threads.
    """
    tensors = {
        name: (weight.clone().requires_grad_(), bias)
        for name, (weight, bias) in to_tensors(network).items()
    }
    weights = [weight for weight, _ in tensors.values()]
    squares = [torch.zeros_like(weight) for weight in weights]
    generator = torch.Generator().manual_seed(seed)
    image, *others = network.graph.nodes
    for batch in torch.split(images, BATCH):
        logits = run_nodes(
            others,
            {image.name: batch},
            lambda layer, x: apply_layer(layer, x, *tensors[layer.name]),
        )
        drawn = draw_classes(logits.detach(), generator)
        loss = F.cross_entropy(logits, drawn, reduction="sum")
        for total, gradient in zip(squares, torch.autograd.grad(loss, weights), strict=True):
            total += gradient.square()
    return {name: relative(total) for name, total in zip(tensors, squares, strict=True)}


def draw_classes(logits: Tensor, generator: torch.Generator) -> Tensor:
    """A class for every image (N,), or for every pixel (N, H, W), by the chances of the logits."""
    chances = logits.softmax(1).movedim(1, -1)
    drawn = torch.multinomial(chances.flatten(0, -2), 1, generator=generator)
    return drawn.reshape(chances.shape[:-1])


def relative(squares: Tensor) -> Floats:
    """Squared gradients as multiples of their mean, lifted by FLOOR; ones where all are zero."""
    mean = squares.mean()
    values: Floats = (squares / mean if mean > 0 else torch.ones_like(squares)).add(FLOOR).numpy()
    return values
