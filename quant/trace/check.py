"""What was read, run beside what it was read from: nothing is misread in silence."""

from __future__ import annotations

import torch
from torch import Tensor

from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.graph import Network

IMAGES = 2
TOLERANCE = 1e-3
"""Of the largest logit: sums in another order differ by less."""


def probe(shape: tuple[int, int, int]) -> Tensor:
    """Images of noise (IMAGES, C, H, W), always the same."""
    return torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(0))


def check(network: Network, images: Tensor, expected: Tensor) -> None:
    """Raise ModelError where `network` gives other than the expected outputs.

    These may come from a softmax over the classes, which `Builder.end` leaves out. What is not
    finite to begin with says nothing, and is let through.
    """
    found = FloatNet(network).logits(images)
    wanted = expected.float().reshape(found.shape)
    most = float(wanted.abs().max())
    ends = (found, found.softmax(1), found.log_softmax(1))
    error = min(float((end - wanted).abs().max()) for end in ends)
    if torch.isfinite(wanted).all() and not error <= TOLERANCE * most:
        raise ModelError(
            f"the network as it was read gives other outputs than yours (off by {error:.2g} of "
            f"{most:.2g}): something in it is not understood, please report it"
        )
