"""Checkpoint of a finetuning: parameters, Adam's state, the task, epochs done; one safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Adam

from haq.finetune.recipe import Recipe
from quant.errors import InputError
from quant.learned import LearnedNet

FILE = "checkpoint.safetensors"
ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Task:
    """What is trained on what: a folder is not continued with another one.

    `identity` has the keys or digests of policy, network, quantizer and images.
    """

    recipe: Recipe
    identity: Mapping[str, str]

    def to_json(self) -> str:
        """Canonical text."""
        return json.dumps({**asdict(self), "identity": dict(self.identity)}, sort_keys=True)


class Checkpoint(NamedTuple):
    """Epochs done over all stages, and tensors by name."""

    done: int
    tensors: Mapping[str, Tensor]


def save_checkpoint(net: LearnedNet, optimizer: Adam, task: Task, done: int, folder: Path) -> None:
    """Replace the checkpoint in an existing folder, whole or not at all."""
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    for name, parameter in net.named_parameters():
        state = optimizer.state.get(parameter, {})
        tensors |= {f"adam.{part}.{name}": state[part] for part in ADAM if part in state}
    partial = folder / "checkpoint.partial"
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(stored, partial, {"done": str(done), "task": task.to_json()})
    partial.replace(folder / FILE)


def read_checkpoint(folder: Path, task: Task) -> Checkpoint | None:
    """The folder's checkpoint, if any. Raises InputError for that of another task."""
    path = folder / FILE
    if not path.is_file():
        return None
    done, saved = read_header(path)
    if saved != json.loads(task.to_json()):
        raise InputError(
            f"{path} was made by another recipe, policy or network, or of other images: name "
            "another --out or remove it"
        )
    return Checkpoint(done, load_file(path))


def read_header(path: Path) -> tuple[int, Any]:
    """Epochs done and task, from the metadata of a checkpoint. Raises InputError."""
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata()
        return int(metadata["done"]), json.loads(metadata["task"])
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise InputError(f"{path} is no checkpoint of a finetuning: name another --out") from None


def restore_net(net: LearnedNet, saved: Checkpoint | None) -> int:
    """Put the parameters back; returns the epochs done, 0 without a checkpoint."""
    if saved is None:
        return 0
    prefix = "net."
    net.load_state_dict(
        {n.removeprefix(prefix): t for n, t in saved.tensors.items() if n.startswith(prefix)}
    )
    return saved.done


def restore_optimizer(net: LearnedNet, optimizer: Adam, saved: Checkpoint | None) -> None:
    """Put Adam's state back, in the memory order and on the device of the parameters."""
    tensors = {} if saved is None else saved.tensors
    for name, parameter in net.named_parameters():
        if f"adam.step.{name}" in tensors:
            step, *moments = (tensors[f"adam.{part}.{name}"] for part in ADAM)
            first, second = (torch.empty_like(parameter).copy_(m).detach() for m in moments)
            optimizer.state[parameter] = {
                "step": step.to(parameter.device), "exp_avg": first, "exp_avg_sq": second
            }  # fmt: skip
