"""From a model's name and its weights to a torch module."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.mobilenet_v2 import MobileNetV2, scale_channels
from quant.errors import ModelError

DEFAULT_WEIGHTS = Path(str(files("haq.zoo"))) / "weights" / "mbv2_fashion_mnist.safetensors"
MODELS = ("mbv2",)
WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.25, 1.4, 1.5, 2.0)


@dataclass(frozen=True)
class NetConfig:
    """What fixes an architecture: name, square input side in pixels, channels, classes, width."""

    model: str
    input_size: int = 32
    channels: int = 1
    classes: int = 10
    width: float = 1.0
    padding: Padding = "torch"


def build(config: NetConfig) -> nn.Module:
    """Make an untrained network. Raises ModelError for an unknown name."""
    if config.model not in MODELS:
        raise ModelError(f"unknown model '{config.model}': choose from {', '.join(MODELS)}")
    return MobileNetV2(
        config.classes, config.channels, config.input_size, config.width, config.padding
    )


def load(
    model: str, weights: Path | None, input_size: int, padding: Padding
) -> tuple[nn.Module, NetConfig]:
    """Make a network in evaluation mode with its weights; shapes are read from the weights.

    `weights` is a safetensors file or a torch checkpoint (read with weights_only=True) with
    torchvision's key names; None means the packaged Fashion-MNIST network.
    """
    if model not in MODELS:
        raise ModelError(f"unknown model '{model}': choose from {', '.join(MODELS)}")
    path = weights or DEFAULT_WEIGHTS
    state = read_weights(path)
    config = infer_config(model, state, input_size, padding, path)
    net = build(config)
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} does not fit {model}: {reason}") from None
    return net.eval(), config


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read named tensors as float32; nothing is unpickled but plain tensors."""
    if not path.is_file():
        raise ModelError(f"no such weights file: {path}")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
            state = loaded.get("state_dict", loaded)
        return {name: as_float(tensor) for name, tensor in state.items()}
    except Exception as error:
        # Every reader has errors of its own kind; the user needs the file and the cause.
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"{path} is not a readable safetensors or weights_only checkpoint: {reason}"
        ) from None


def as_float(tensor: Tensor) -> Tensor:
    """float32 for floating tensors; counters stay integers."""
    return tensor.float() if tensor.is_floating_point() else tensor


def infer_config(
    model: str, state: Mapping[str, Tensor], input_size: int, padding: Padding, path: Path
) -> NetConfig:
    """Read classes, channels and width from the shapes of the weights."""
    stem = shape_of(state, "features.0.0.weight", 4, path)
    last = shape_of(state, "features.17.conv.2.weight", 4, path)
    head = shape_of(state, "classifier.1.weight", 2, path)
    matches = [
        w
        for w in WIDTHS
        if scale_channels(32 * w) == stem[0] and scale_channels(320 * w) == last[0]
    ]
    if not matches:
        raise ModelError(f"{path}: no known width of {model} has {stem[0]} stem channels")
    return NetConfig(model, input_size, stem[1], head[0], matches[0], padding)


def shape_of(state: Mapping[str, Tensor], name: str, rank: int, path: Path) -> tuple[int, ...]:
    """Shape of a named tensor. Raises ModelError where it is missing or of another rank."""
    if name not in state or state[name].ndim != rank:
        raise ModelError(
            f"{path} has no tensor '{name}' of {rank} dimensions: "
            "torchvision's key names are needed"
        )
    return tuple(state[name].shape)
