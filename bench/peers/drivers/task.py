"""What a tool is asked and what it answers, as files.

The folder IN holds `task.json`, `calibration.npy` and `validation.npy`: normalised images
(N, C, H, W) float32; and `calibration_labels.npy`. OUT is a JSON file: `{"policies": [...],
"seconds": ..., "cpu_seconds": ...}`, with policies as `Found`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from haq.zoo import load

LayerBits = Mapping[str, int | None]
"""By the layer's name in torch; None where it is left in float."""


@dataclass(frozen=True)
class Task:
    """Targets of the tool's own kind, and the pairs of bits that it may choose from.

    `formats` are (weight bits, activation bits), the widest first; `setting` is "board" or "size".
    """

    setting: str
    targets: Sequence[float]
    formats: Sequence[tuple[int, int]]
    calibration: Tensor
    calibration_labels: Tensor
    validation: Tensor


@dataclass(frozen=True)
class Found:
    """A policy for a target, and the seconds since the policy before."""

    target: float
    weight_bits: LayerBits
    activation_bits: LayerBits
    seconds: float = 0.0


Search = Callable[[Task], Iterator[Found]]


def run(search: Search) -> None:
    """Read the task, search, and write what was found.

    Seconds are those of the search alone, on the wall and of the processors: what it needs is
    imported before, and the images are loaded.
    """
    task = read_task(Path(sys.argv[1]))
    started, cpu = time.perf_counter(), cpu_seconds()
    last, found = started, []
    for one in search(task):
        now = time.perf_counter()
        found.append(asdict(replace(one, seconds=now - last)))
        last = now
    answer = {"policies": found, "seconds": last - started, "cpu_seconds": cpu_seconds() - cpu}
    Path(sys.argv[2]).write_text(json.dumps(answer))


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def read_task(folder: Path) -> Task:
    """The task of a folder."""
    asked = json.loads((folder / "task.json").read_text())
    formats = [(int(weight), int(activation)) for weight, activation in asked["formats"]]
    names = ("calibration", "calibration_labels", "validation")
    arrays = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in names)
    return Task(asked["setting"], asked["targets"], formats, *arrays)


def float_network() -> nn.Module:
    """The packaged network, newly made."""
    return load("mbv2", None, 32, "torch")[0]


def layer_names(network: nn.Module) -> list[str]:
    """Names of the layers whose bits are to be chosen."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def define_vision_operators() -> None:
    """Let torchvision be imported beside a torch of another build, whose operators it lacks."""
    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for name in ("nms", "qnms"):
        VISION.define(name + signature)  # type: ignore[no-untyped-call]


VISION = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
"""Operators last as long as their library."""
