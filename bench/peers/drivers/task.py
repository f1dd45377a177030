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
from typing import Any

import numpy as np
import torch
from torch import Tensor, library, nn

from haq.zoo import load

LayerBits = Mapping[str, int | None]
"""By the layer's name in torch; None where it is left in float."""


@dataclass(frozen=True)
class Task:
    """Targets of the tool's own kind, and the pairs of bits that it may choose from.

    `formats` are (weight bits, activation bits), the widest first; `setting` is "board" or "size";
    `options` are of our own search.
    """

    setting: str
    targets: Sequence[float]
    formats: Sequence[tuple[int, int]]
    options: Mapping[str, Any]
    calibration: Tensor
    calibration_labels: Tensor
    validation: Tensor


@dataclass(frozen=True)
class Found:
    """A policy for a target, and the seconds since the one before: wall and processors."""

    target: float
    weight_bits: LayerBits
    activation_bits: LayerBits
    seconds: float = 0.0
    cpu_seconds: float = 0.0


Search = Callable[[Task], Iterator[Found]]


def run(search: Search) -> None:
    """Read the task, search, and write what was found.

    Seconds are those of the search alone, on the wall and of the processors: what it needs is
    imported before, and the images are loaded.
    """
    task = read_task(Path(sys.argv[1]))
    found = list(timed(search, task))
    policies = [asdict(one) for one in found]
    totals = {
        "seconds": sum(one.seconds for one in found),
        "cpu_seconds": sum(one.cpu_seconds for one in found),
    }
    Path(sys.argv[2]).write_text(json.dumps({"policies": policies, **totals}))


def timed(search: Search, task: Task) -> Iterator[Found]:
    """What a search finds, each with the time that it took beyond the one before."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    for one in search(task):
        now, used = time.perf_counter(), cpu_seconds()
        yield replace(one, seconds=now - wall, cpu_seconds=used - cpu)
        wall, cpu = now, used


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
    return Task(asked["setting"], asked["targets"], formats, asked["options"], *arrays)


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


VISION = library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
"""Operators last as long as their library."""
