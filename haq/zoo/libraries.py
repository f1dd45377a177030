"""Pretrained weights by way of torchvision or timm, where these are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from haq.zoo.config import IMAGENET
from haq.zoo.found import Colours, Found
from haq.zoo.registry import find
from quant.errors import ModelError, one_line

HALF = (0.5, 0.5, 0.5)


def from_torchvision(model: str) -> Found:
    """torchvision's newest weights of a network. Raises ModelError."""
    name = named("torchvision", model, find(model).torchvision)
    weights = installed("torchvision.models").get_model_weights(name).DEFAULT
    preset = weights.transforms()
    state = fetch("torchvision", lambda: weights.get_state_dict(check_hash=True, weights_only=True))
    return Found(state, f"torchvision's {name}", scaling(preset.mean, preset.std), IMAGENET.side)


def from_timm(model: str) -> Found:
    """timm's weights of a network, which it reads as plain tensors. Raises ModelError."""
    name, timm = named("timm", model, find(model).timm), installed("timm")
    net = fetch("timm", lambda: timm.create_model(name, pretrained=True))
    config = net.pretrained_cfg
    found = scaling(config["mean"], config["std"])
    return Found(net.state_dict(), f"timm's {name}", found, IMAGENET.side)


LIBRARIES: Mapping[str, Callable[[str], Found]] = {
    "torchvision": from_torchvision,
    "timm": from_timm,
}
"""What --weights may say instead of a file."""


def named(library: str, model: str, name: str | None) -> str:
    """The name of a network in a library. Raises ModelError where it has none."""
    if name is None:
        raise ModelError(
            f"{library} has no weights of {model} with {find(model).keys} key names: "
            "name a file by --weights"
        )
    return name


def installed(module: str) -> Any:
    """A module of a library. Raises ModelError where that is missing or broken."""
    library = module.split(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ModelError(f"--weights {library} needs it: pip install {library}") from None
    except Exception as error:
        # A build for another torch fails in ways of its own.
        raise ModelError(f"{library} is installed, but does not start: {one_line(error)}") from None


def fetch(library: str, get: Callable[[], Any]) -> Any:
    """What a library has downloaded, now or before. Raises ModelError where it cannot."""
    try:
        return get()
    except Exception as error:
        # No network, no room, a changed file: each library has errors of its own.
        raise ModelError(f"{library} cannot fetch its weights: {one_line(error)}") from None


def scaling(mean: Colours, std: Colours) -> tuple[Colours, Colours] | None:
    """Mean and deviation, None where pixels from -1 to 1 are what they ask for."""
    found = tuple(mean), tuple(std)
    return None if found == (HALF, HALF) else found
