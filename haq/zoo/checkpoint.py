"""Weights from files: nothing is unpickled but plain tensors."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from quant.errors import ModelError, one_line


def read_weights(path: Path) -> dict[str, Tensor]:
    """Named tensors as float32, from safetensors or a torch checkpoint. Raises ModelError."""
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
        raise ModelError(
            f"{path} is not a readable safetensors or weights_only checkpoint: {one_line(error)}"
        ) from None


def give_weights(name: str, net: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load all of them into the network `name`. Raises ModelError where they do not fit."""
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"{origin} does not fit {name}: {one_line(error)}") from None


def as_float(tensor: Tensor) -> Tensor:
    """float32 for floating tensors; counters stay integers."""
    return tensor.float() if tensor.is_floating_point() else tensor
