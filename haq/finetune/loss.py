"""What a finetuned network learns: the float network's logits, the labels, or both."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from haq.data.label import UNKNOWN
from haq.finetune.recipe import Recipe


def sum_loss(logits: Tensor, wanted: Tensor | None, labels: Tensor, recipe: Recipe) -> Tensor:
    """Sum over the images of the recipe's losses, in nats; `wanted` are the teacher's logits.

    Where every pixel has logits, the loss of an image is the mean over them.
    """
    total = torch.zeros((), device=logits.device)
    if wanted is not None:
        total = total + divergence(logits, wanted, recipe.temperature)
    if recipe.labels:
        total = total + F.cross_entropy(logits, labels, reduction="sum", ignore_index=UNKNOWN)
    return total / logits[0, 0].numel()


def divergence(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Sum of KL(wanted || logits) at a temperature T, times T^2 (Hinton et al., 2015).

    By the square the gradients stay of one size whatever the temperature.
    """
    ours = (logits / temperature).log_softmax(1)
    theirs = (wanted / temperature).log_softmax(1)
    return F.kl_div(ours, theirs, reduction="sum", log_target=True) * temperature**2
