"""What fixes a network of the zoo but its weights."""

from dataclasses import dataclass
from typing import NamedTuple

from haq.names import Padding


class DataShape(NamedTuple):
    """Images that a network is for: channels, classes, and pixels a side."""

    channels: int
    classes: int
    side: int


IMAGENET = DataShape(3, 1000, 224)
FASHION_MNIST = DataShape(1, 10, 32)
FACES = DataShape(3, 8, 64)


@dataclass(frozen=True)
class NetConfig:
    """What fixes an architecture: name, square input side in pixels, channels, classes, width."""

    model: str
    input_size: int = FASHION_MNIST.side
    channels: int = FASHION_MNIST.channels
    classes: int = FASHION_MNIST.classes
    width: float = 1.0
    padding: Padding = "torch"
