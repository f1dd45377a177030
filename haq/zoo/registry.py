"""The networks of the zoo by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from torch import nn

from haq.names import Padding
from haq.zoo.config import FACES, FASHION_MNIST, IMAGENET, DataShape, NetConfig
from haq.zoo.inverted_residuals import InvertedResiduals
from haq.zoo.mbv2_seg import Segmenter
from haq.zoo.mobilenets import MBV1, MBV2, MBV3_LARGE, MBV3_SMALL
from haq.zoo.resnet import resnet18, resnet50
from haq.zoo.rows import Rows
from haq.zoo.searched import (
    FBNET_C,
    LITE0,
    MNASNET_A1,
    MNASNET_B1,
    PROXYLESS_CPU,
    PROXYLESS_GPU,
    PROXYLESS_MOBILE,
    PROXYLESS_MOBILE_14,
    SPNASNET,
)
from haq.zoo.shufflenet_v2 import ShuffleNetV2
from haq.zoo.squeezenet import SqueezeNet
from haq.zoo.vit import vit_tiny
from quant.errors import ModelError

WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.25, 1.4, 1.5, 2.0)
ALIASES = {"efficientnet_lite0": "lite0"}


@dataclass(frozen=True)
class Architecture:
    """How a network is made, whose key names it has, and what is usual for it.

    `images` and `padding` count where neither the user nor weights say otherwise. `torchvision` and
    `timm` are the names of the network in these libraries, where they have weights with its keys.
    A dense network gives a class for every pixel.
    """

    make: Callable[[NetConfig], nn.Module]
    keys: str
    images: DataShape = IMAGENET
    padding: Padding = "torch"
    paddings: tuple[Padding, ...] = ("torch", "same")
    widths: tuple[float, ...] = (1.0,)
    torchvision: str | None = None
    timm: str | None = None
    is_dense: bool = False


def of_rows(
    rows: Rows,
    torchvision: str | None = None,
    timm: str | None = None,
    widths: tuple[float, ...] = (1.0,),
    images: DataShape = IMAGENET,
    padding: Padding = "torch",
) -> Architecture:
    """A network of inverted residuals."""
    return Architecture(
        partial(make_rows, rows),
        rows.keys.origin,
        images,
        padding,
        widths=widths,
        torchvision=torchvision,
        timm=timm,
    )


def make_rows(rows: Rows, config: NetConfig) -> nn.Module:
    """The module of a network of inverted residuals."""
    return InvertedResiduals(
        rows, config.classes, config.channels, config.input_size, config.width, config.padding
    )


def of_libraries(
    make: Callable[[int, int, int], nn.Module],
    torchvision: str | None = None,
    timm: str | None = None,
) -> Architecture:
    """A network of another kind, made from classes, channels and input size.

    Its key names are torchvision's where that has it, else timm's.
    """
    return Architecture(
        lambda config: make(config.classes, config.channels, config.input_size),
        keys="torchvision's" if torchvision else "timm's",
        paddings=("torch",),
        torchvision=torchvision,
        timm=timm,
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    "mbv1": of_rows(MBV1, timm="mobilenetv1_100", widths=WIDTHS),
    "mbv2": of_rows(MBV2, torchvision="mobilenet_v2", widths=WIDTHS, images=FASHION_MNIST),
    "mbv3_small": of_rows(MBV3_SMALL, torchvision="mobilenet_v3_small"),
    "mbv3_large": of_rows(MBV3_LARGE, torchvision="mobilenet_v3_large"),
    "proxyless_mobile": of_rows(PROXYLESS_MOBILE),
    "proxyless_mobile_14": of_rows(PROXYLESS_MOBILE_14),
    "proxyless_gpu": of_rows(PROXYLESS_GPU),
    "proxyless_cpu": of_rows(PROXYLESS_CPU),
    "mnasnet_a1": of_rows(MNASNET_A1, timm="semnasnet_100"),
    "mnasnet_b1": of_rows(MNASNET_B1, timm="mnasnet_100"),
    "spnasnet": of_rows(SPNASNET, timm="spnasnet_100"),
    "fbnet_c": of_rows(FBNET_C, timm="fbnetc_100"),
    "lite0": of_rows(LITE0, timm="tf_efficientnet_lite0", padding="same"),
    "resnet18": of_libraries(resnet18, "resnet18", timm="resnet18"),
    "resnet50": of_libraries(resnet50, "resnet50", timm="resnet50"),
    "shufflenet_v2": of_libraries(ShuffleNetV2, "shufflenet_v2_x1_0"),
    "squeezenet": of_libraries(SqueezeNet, "squeezenet1_1"),
    "vit_tiny": of_libraries(vit_tiny, timm="vit_tiny_patch16_224"),
    "mbv2_seg": Architecture(
        lambda config: Segmenter(
            config.classes, config.channels, config.input_size, config.padding
        ),
        keys="haq's own",
        images=FACES,
        is_dense=True,
    ),
}


def find(model: str) -> Architecture:
    """A network by its name or alias. Raises ModelError that names those most like it."""
    name = ALIASES.get(model, model)
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    near = get_close_matches(model, [*ARCHITECTURES, *ALIASES], n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ModelError(f"unknown model '{model}': {hint}`haq models` lists all")


def published_config(model: str) -> NetConfig:
    """As networks are published: for ImageNet, dense ones for what they are usual for."""
    found = find(model)
    channels, classes, side = found.images if found.is_dense else IMAGENET
    return NetConfig(model, side, channels, classes)


def build(config: NetConfig) -> nn.Module:
    """Make an untrained network. Raises ModelError for an unknown name or padding."""
    found = find(config.model)
    if config.padding not in found.paddings:
        raise ModelError(f"{config.model} has torch's padding alone: leave out --padding same")
    return found.make(config)
