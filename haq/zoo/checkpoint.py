"""Weights from files: nothing is unpickled but plain tensors."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from quant.errors import ModelError


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
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"{path} is not a readable safetensors or weights_only checkpoint: {reason}"
        ) from None


def as_float(tensor: Tensor) -> Tensor:
    """float32 for floating tensors; counters stay integers."""
    return tensor.float() if tensor.is_floating_point() else tensor
