"""Random weights that a search can be tried on: activations neither die nor explode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from haq.zoo.config import NetConfig
from haq.zoo.registry import build

SEED = 0
IMAGES, PATCHES = 32, 4
"""Random images, and patches a side of each."""
SPREAD = 3.0
"""Standard deviation of a logit from image to image."""


def random_network(config: NetConfig) -> nn.Module:
    """An untrained network in evaluation mode, the same at each call. Raises ModelError.

    Statistics of batch norms are those of random images, and the last layer is scaled and centred
    so that they differ in their logits.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        net, images = build(config), random_images(config)
        with counting_statistics(net):
            net(images)
        spread_logits(net, images)
    return net


def random_images(config: NetConfig) -> Tensor:
    """Patches of colours on black, some images bright and some dark: (IMAGES, C, side, side).

    Like photographs these differ more from each other than within: statistics of mere noise, which
    has no such differences, let activations of real images grow from layer to layer.
    """
    colours = torch.randn(IMAGES, config.channels, PATCHES, PATCHES)
    brightness = torch.randn(IMAGES, 1, 1, 1)
    patches = (2 * (colours + brightness)).clamp(-1, 1)
    return F.interpolate(F.pad(patches, (1, 1, 1, 1), value=-1.0), size=config.input_size)


@contextmanager
def counting_statistics(net: nn.Module) -> Iterator[None]:
    """Batch norms take over the statistics of what goes through; evaluation mode afterwards."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    net.train()
    for norm in norms:
        norm.momentum = None
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()


def spread_logits(net: nn.Module, images: Tensor) -> None:
    """Scale and centre the last layer, whose bias is zero."""
    last = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)][-1]
    logits = net(images)
    but_classes = [axis for axis in range(logits.ndim) if axis != 1]
    factor = SPREAD / logits.std(dim=0).mean()
    last.weight *= factor
    if last.bias is not None:
        last.bias -= factor * logits.mean(dim=but_classes)
