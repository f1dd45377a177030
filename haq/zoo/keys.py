"""What layers are called in published checkpoints of networks of inverted residuals."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from haq.zoo.layers import SqueezeNames


class Unit(NamedTuple):
    """Dotted names of a convolution, its batch norm and its activation."""

    conv: str
    norm: str
    activation: str


class Place(NamedTuple):
    """Where a block stands in its network, its stage and its row of units, and what it has."""

    block: int
    stage: int
    step: int
    expands: bool
    squeezes: bool


class BlockKeys(NamedTuple):
    """Names in a block; those of what a block lacks are not used."""

    expand: Unit
    depthwise: Unit
    squeeze: str
    project: Unit


class Keys(Protocol):
    """Names of all layers of a network of inverted residuals."""

    origin: str
    """Whose names they are, in the genitive."""
    squeeze: SqueezeNames
    hidden: str
    """The linear layer before the last, where there is one."""
    classifier: str

    @property
    def stem(self) -> Unit:
        """The first convolution."""

    def block(self, place: Place) -> BlockKeys:
        """The layers of a block."""

    def head(self, blocks: int) -> Unit:
        """The last convolution, behind so many blocks."""


class Torchvision:
    """torchvision's MobileNetV2: everything is numbered."""

    origin = "torchvision's"
    squeeze = SqueezeNames("fc1", "fc2")
    hidden, classifier = "classifier.0", "classifier.1"
    stem = Unit("features.0.0", "features.0.1", "features.0.2")

    def block(self, place: Place) -> BlockKeys:
        """Units behind each other; the last convolution and its norm are not nested."""
        root = f"features.{place.block + 1}.conv"
        middle = int(place.expands)
        last = middle + 1
        return BlockKeys(
            numbered(f"{root}.0"),
            numbered(f"{root}.{middle}"),
            f"{root}.{middle}.3",
            Unit(f"{root}.{last}", f"{root}.{last + 1}", f"{root}.{last + 2}"),
        )

    def head(self, blocks: int) -> Unit:
        """Counted on behind the blocks."""
        return numbered(f"features.{blocks + 1}")


class TorchvisionV3(Torchvision):
    """torchvision's MobileNetV3: every part of a block has a number of its own."""

    classifier = "classifier.3"

    def block(self, place: Place) -> BlockKeys:
        """Expansion, depthwise, squeeze and projection, counted as far as they are there."""
        root = f"features.{place.block + 1}.block"
        middle = int(place.expands)
        last = middle + 1 + place.squeezes
        return BlockKeys(
            numbered(f"{root}.0"),
            numbered(f"{root}.{middle}"),
            f"{root}.{middle + 1}",
            numbered(f"{root}.{last}"),
        )


class Timm:
    """timm's networks of the EfficientNet family: blocks are counted by stages."""

    origin = "timm's"
    squeeze = SqueezeNames("conv_reduce", "conv_expand")
    hidden, classifier = "pre_classifier", "classifier"
    stem = Unit("conv_stem", "bn1", "act1")

    def block(self, place: Place) -> BlockKeys:
        """Norms are counted; a projection is called `pwl` where an expansion is `pw`."""
        root = f"blocks.{place.stage}.{place.step}"
        convs = ["conv_pw", "conv_dw", "conv_pwl"] if place.expands else ["conv_dw", "conv_pw"]
        units = [
            Unit(f"{root}.{name}", f"{root}.bn{number}", f"{root}.act{number}")
            for number, name in enumerate(convs, 1)
        ]
        return BlockKeys(units[0], units[-2], f"{root}.se", units[-1])

    def head(self, blocks: int) -> Unit:
        """The same wherever the blocks end."""
        return Unit("conv_head", "bn2", "act2")


class Proxyless:
    """The checkpoints published with ProxylessNAS (Cai, Zhu, Han, ICLR 2019)."""

    origin = "the published Proxyless networks'"
    squeeze = SqueezeNames("reduce", "expand")
    hidden, classifier = "classifier.hidden", "classifier.linear"
    stem = Unit("first_conv.conv", "first_conv.bn", "first_conv.activation")

    def block(self, place: Place) -> BlockKeys:
        """Names that say what a convolution does."""
        root = f"blocks.{place.block}.mobile_inverted_conv"
        expand, depthwise, project = (
            Unit(f"{root}.{part}.conv", f"{root}.{part}.bn", f"{root}.{part}.relu")
            for part in ("inverted_bottleneck", "depth_conv", "point_linear")
        )
        return BlockKeys(expand, depthwise, f"{root}.depth_conv.se", project)

    def head(self, blocks: int) -> Unit:
        """The same wherever the blocks end."""
        name = "feature_mix_layer"
        return Unit(f"{name}.conv", f"{name}.bn", f"{name}.activation")


def numbered(root: str) -> Unit:
    """Convolution, norm and activation as items 0, 1 and 2."""
    return Unit(f"{root}.0", f"{root}.1", f"{root}.2")
