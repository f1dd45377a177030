"""What all networks of the zoo have in common."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """A network from images to logits, which may bring the normalisation that its weights need."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, H, W) with values from -1 to 1."""
        return self.logits(self.normalise(x))

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Logits of images as the weights expect them."""


def normalisation(mean: Sequence[float], std: Sequence[float]) -> nn.BatchNorm2d:
    """From pixels between -1 and 1 to those between 0 and 1 less `mean`, divided by `std`.

    Its numbers are no weights: they are not in the state dict.
    """
    norm = nn.BatchNorm2d(len(mean), eps=0.0, affine=False)
    norm.register_buffer("running_mean", 2 * torch.tensor(mean) - 1, persistent=False)
    norm.register_buffer("running_var", (2 * torch.tensor(std)) ** 2, persistent=False)
    norm.register_buffer("num_batches_tracked", None)
    return norm.eval()
